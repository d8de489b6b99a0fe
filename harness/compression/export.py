"""Models of the heads of encoders as ONNX graphs. Imports torch: import it inside functions."""

from __future__ import annotations

import contextlib
import inspect
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.core.errors import HarnessError
from harness.modeling.runtimes.base import OUTPUTS
from harness.modeling.runtimes.onnx_runtime import open_graph
from harness.modeling.weights.layers import as_linear

ROOT = "model"
"""The name of the exported model in the names of the graph's nodes."""
OPSET = 17
TOLERANCE = 1e-3
"""How far logits of the graph may be from those of torch, in float32."""
CHECKED = ((1, 5), (3, 17))
"""Batches (b, t) on which both are compared; the graph is traced on another."""


class _Outputs(nn.Module):
    """The model as a function of positional inputs to a tuple of outputs."""

    def __init__(self, model: PreTrainedModel, inputs: list[str], outputs: tuple[str, ...]) -> None:
        super().__init__()
        setattr(self, ROOT, model)
        self._inputs = inputs
        self._outputs = outputs

    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        output = getattr(self, ROOT)(**dict(zip(self._inputs, tensors, strict=True)))
        return tuple(output[name] for name in self._outputs)


def export(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, head: str, file: Path) -> int:
    """Write the model as a graph with free batch size and length; its Conv1D become Linear: returns how many.

    The tracing exporter is used: it needs no further package, and its nodes bear the names of the modules.

    Raises:
        HarnessError: torch cannot export it, or the graph gives other logits than the model.
    """
    converted = as_exported(model)
    model.config.use_cache = False
    known = inspect.signature(model.forward).parameters
    inputs = [name for name in tokenizer.model_input_names if name in known]
    outputs = OUTPUTS[head]
    wrapped = _Outputs(model, inputs, outputs).eval()
    axes = {name: {0: "batch", 1: "length"} for name in inputs}
    whole = head in ("sequence-classification", "multiple-choice")
    axes |= {name: {0: "batch"} if whole else {0: "batch", 1: "length"} for name in outputs}
    batch = _batch(model, tokenizer, inputs, 2, 11)
    traced(wrapped, tuple(batch.values()), file, inputs, outputs, axes)
    _check(wrapped, file, [_batch(model, tokenizer, inputs, *size) for size in CHECKED])
    return converted


def as_exported(model: PreTrainedModel) -> int:
    """Make a model one that can be traced; returns how many Conv1D became Linear."""
    with contextlib.suppress(ValueError):
        model.set_attn_implementation("eager")
    return as_linear(model)


def traced(
    module: nn.Module, given: tuple[torch.Tensor, ...], file: Path, inputs: Sequence[str], outputs: Sequence[str],
    axes: dict[str, dict[int, str]],
) -> None:  # fmt: skip
    """Write a module as the graph that it is for such inputs, with free `axes`.

    Raises:
        HarnessError: torch cannot.
    """
    try:
        with quietly(), torch.no_grad():
            torch.onnx.export(
                module.eval(), given, file, input_names=list(inputs), output_names=list(outputs), dynamic_axes=axes,
                opset_version=OPSET, dynamo=False,
            )  # fmt: skip
    except Exception as error:  # the exporter raises whatever the traced code does
        kind = getattr(module, ROOT).config.model_type
        raise HarnessError(f"torch cannot export a {kind}: {' '.join(str(error).split())[:200]}") from None
    _name_weights(file)


def _name_weights(file: Path) -> None:
    """Let nodes name their weight itself: the exporter keeps one of several equal matrices, such as those that pruning
    left all zero, and gives it to the others through an Identity, behind which no quantizer looks.
    """
    import onnx

    model = onnx.load(file)
    weights = {tensor.name for tensor in model.graph.initializer if len(tensor.dims) == 2}
    copies = [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in weights]
    if not copies:
        return
    origin = {node.output[0]: node.input[0] for node in copies}
    for node in model.graph.node:
        for place, name in enumerate(node.input):
            node.input[place] = origin.get(name, name)
    for node in copies:
        model.graph.node.remove(node)
    onnx.save(model, file)


def check_close(wanted: np.ndarray, computed: np.ndarray) -> None:
    """Raises HarnessError where the logits of a graph are others than those of the model."""
    off = float(np.abs(wanted - computed).max())
    if not off <= TOLERANCE:
        raise HarnessError(f"the exported graph's logits are off by {off:.3g}; this model cannot be exported")


def _batch(model: Any, tokenizer: Any, inputs: list[str], size: int, length: int) -> dict[str, torch.Tensor]:
    """Random token ids (size, length), the last row padded to its right."""
    random = torch.Generator().manual_seed(length)
    ids = torch.randint(model.config.vocab_size, (size, length), generator=random)
    mask = torch.ones_like(ids)
    mask[-1, length - 2 :] = 0
    ids = torch.where(ids == tokenizer.pad_token_id, (ids + 1) % model.config.vocab_size, ids)
    ids[mask == 0] = tokenizer.pad_token_id
    values = {"input_ids": ids, "attention_mask": mask, "token_type_ids": torch.zeros_like(ids)}
    return {name: values[name] for name in inputs}


def _check(wrapped: _Outputs, file: Path, batches: list[dict[str, torch.Tensor]]) -> None:
    graph = open_graph(file, threads=1)
    for batch in batches:
        with torch.inference_mode():
            wanted = wrapped(*batch.values())
        for expected, computed in zip(wanted, graph(**batch).values(), strict=True):
            check_close(expected.numpy(), computed.numpy())


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Without the notices and prints of the exporter and the quantizer, which are about their own insides."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
