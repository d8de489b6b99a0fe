"""Models that are graphs, whichever runtime runs them: one in `model.onnx`, the encoder of one that writes and has one
apart in `encoder.onnx`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes.base import WRITING_HEADS, RuntimeModel
from harness.modeling.runtimes.graph_file import FILE, Graph, Opener
from harness.modeling.runtimes.graph_towers import open_towers
from harness.modeling.weights.loading import load_tokenizer
from harness.modeling.weights.pretrained import refuse_empty_tokenizer
from harness.modeling.weights.settings import ITEM_HEADS, TOWERS, Settings, foreign_writer, home_of

if TYPE_CHECKING:
    import numpy as np
    import torch

sentence_layers = lazy("harness.modeling.weights.sentence_layers")
graph_optimum = lazy("harness.modeling.runtimes.graph_optimum")
graph_writer = lazy("harness.modeling.runtimes.graph_writer")


@dataclass
class GraphModel(RuntimeModel):
    """Of a head that answers in one pass."""

    graph: Graph | None = None

    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        assert self.graph is not None, "closed"
        outputs = self.graph.run({name: array for name, array in inputs.items() if name in self.graph.inputs})
        if len(outputs) == 1 and self.settings.head in (
            "sequence-classification",
            *ITEM_HEADS,
        ):  # whatever an exporter calls it
            return {"logits": next(iter(outputs.values()))}
        return outputs

    def close(self) -> None:
        super().close()
        self.graph = None


class Module:
    """A graph as heads call a model: with tensors by name, on the CPU, always predicting."""

    training = False
    sentence_layers: Any = None

    def __init__(self, model: GraphModel) -> None:
        import torch

        self.device = torch.device("cpu")
        self._model = model

    def __call__(self, **inputs: torch.Tensor) -> SimpleNamespace:
        import torch

        outputs = self._model.forward({name: tensor.numpy() for name, tensor in inputs.items()})
        return SimpleNamespace(**{name: torch.from_numpy(array) for name, array in outputs.items()})

    def eval(self) -> Module:
        return self

    def train(self, mode: bool = True) -> Module:
        if mode:
            raise HarnessError(f"a model in {self._model.name} cannot be trained")
        return self


def open_graphs(runtime: str, folder: Path, settings: Settings, threads: int, opener: Opener) -> RuntimeModel:
    """The model of a folder in a runtime. Raises HarnessError where a file is missing or damaged."""
    if settings.head == TOWERS:
        return open_towers(runtime, folder, settings, threads, opener)
    tokenizer: Any = None if settings.head in ITEM_HEADS else load_tokenizer(home_of(folder))
    if settings.head in WRITING_HEADS:
        theirs = foreign_writer(folder)
        if theirs is not None:
            refuse_empty_tokenizer(home_of(folder), tokenizer)
            writer = graph_optimum.open_optimum(folder, theirs, threads, opener)
        else:
            writer = graph_writer.open_writer(folder, threads, opener)
        return graph_writer.WriterModel(runtime, folder, settings, tokenizer, writer)
    if folder.is_file():
        refuse_empty_tokenizer(home_of(folder), tokenizer)
    graph = opener(folder if folder.is_file() else folder / FILE, threads)
    model = GraphModel(runtime, folder, settings, tokenizer, None, graph)
    model.module = Module(model)
    if settings.fitted.get("layers"):
        model.module.sentence_layers = sentence_layers.read_layers(home_of(folder), settings.fitted["layers"])
    return model
