"""A model whose forward pass is captured once for each shape of its inputs and replayed (CUDA graphs). Imports torch:
import it inside functions.

Kernels of small models are shorter than launching them takes; a replay launches them all at once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

MOST_GRAPHS = 64
"""Shapes whose graphs are kept: those used last."""
WARM_UP = 3
"""Passes before one is captured, in which libraries and compilers set themselves up."""


class _Graph(NamedTuple):
    graph: Any
    inputs: dict[str, torch.Tensor]
    outputs: dict[str, torch.Tensor]


class Graphed(torch.nn.Module):
    """Calls of a model with tensors (b, …) by name alone, on a GPU and without gradients, are replayed; all others are
    the model's own. What the model does may depend on what tensors hold on the GPU alone, not in Python.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        super().__init__()
        self._orig_mod = model
        self._graphs: OrderedDict[Any, _Graph] = OrderedDict()
        self._pool: Any = None

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self._orig_mod, name)

    def forward(self, **inputs: Any) -> Any:
        if self.training or not all(isinstance(tensor, torch.Tensor) and tensor.is_cuda for tensor in inputs.values()):
            return self._orig_mod(**inputs)
        key = tuple((name, tuple(tensor.shape), tensor.dtype) for name, tensor in inputs.items())
        with torch.inference_mode():
            known = self._graphs.pop(key, None) or self._capture(inputs)
            self._graphs[key] = known  # the last in use is the last in order
            if len(self._graphs) > MOST_GRAPHS:
                self._graphs.popitem(last=False)
            for name, tensor in inputs.items():
                known.inputs[name].copy_(tensor)
            known.graph.replay()
            return _Outputs({name: tensor.clone() for name, tensor in known.outputs.items()})

    def _capture(self, inputs: Mapping[str, torch.Tensor]) -> _Graph:
        copies = {name: tensor.clone() for name, tensor in inputs.items()}
        if "attention_mask" in copies:  # where nothing is padded a model may go another way, which is not the graph's
            copies["attention_mask"][-1, -1] = 0
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self._orig_mod(**copies)
        torch.cuda.current_stream().wait_stream(stream)
        self._pool = self._pool or torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            output = self._orig_mod(**copies)
        return _Graph(
            graph, copies, {name: tensor for name, tensor in output.items() if isinstance(tensor, torch.Tensor)}
        )


class _Outputs(dict[str, torch.Tensor]):
    """As those of `transformers`: by name or as attributes."""

    def __getattr__(self, name: str) -> torch.Tensor:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None
