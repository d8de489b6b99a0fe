"""Units that can be removed from a transformer: neurons of feed-forward layers, heads of attention.

A unit is a slice of the outputs of some projections (producers) that a single one (the consumer) reads: without it both
are smaller, and the model computes what it would with the unit's output at zero. Imports torch: import it inside
functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from harness.compress.layers import output_axis

SHAPES = {
    "ffn": (
        (("intermediate.dense",), "output.dense"),
        (("lin1",), "lin2"),
        (("c_fc",), "c_proj"),
        (("wi",), "wo"),
        (("wi_0", "wi_1"), "wo"),
    ),
    "heads": (
        (("self.query", "self.key", "self.value"), "output.dense"),
        (("q_lin", "k_lin", "v_lin"), "out_lin"),
    ),
}
"""Producers and consumer below a module that has them all: BERT's names, DistilBERT's, GPT-2's, T5's."""


@dataclass(frozen=True)
class Units:
    """The units of a layer: `count` slices of `size` outputs of the producers, inputs of the consumer."""

    producers: tuple[str, ...]
    consumer: str
    count: int
    size: int


def units_of(model: PreTrainedModel, kind: str) -> list[Units]:
    """All units of a kind, `ffn` or `heads`, a layer each."""
    modules = dict(model.named_modules())
    found = []
    for owner in modules:
        for producers, consumer in SHAPES[kind]:
            names = [f"{owner}.{name}" for name in (*producers, consumer)]
            if all(isinstance(modules.get(name), nn.Linear | Conv1D) for name in names):
                last = modules[names[-1]]
                inputs = last.weight.shape[1 - output_axis(last)]
                size = 1 if kind == "ffn" else _head_size(modules, names[0])
                found.append(Units(tuple(names[:-1]), names[-1], inputs // size, size))
    return found


def _head_size(modules: dict[str, nn.Module], producer: str) -> int:
    size = modules[producer.rpartition(".")[0]].attention_head_size
    assert isinstance(size, int)
    return size


def remove(model: PreTrainedModel, units: Units, kept: Sequence[int]) -> None:
    """Leave only the units `kept` of a layer."""
    places = torch.as_tensor(kept)[:, None] * units.size + torch.arange(units.size)[None, :]
    for name in units.producers:
        module = model.get_submodule(name)
        _slice(module, output_axis(module), places.flatten())
    consumer = model.get_submodule(units.consumer)
    _slice(consumer, 1 - output_axis(consumer), places.flatten())


def _slice(module: nn.Module, axis: int, places: torch.Tensor) -> None:
    """Only those rows or columns of a projection's weight, and of its bias where the axis is that of outputs."""
    outputs = axis == output_axis(module)
    for name, parameter in list(module.named_parameters(recurse=False)):
        if name == "weight" or outputs:
            chosen = parameter.detach().index_select(axis if name == "weight" else 0, places)
            setattr(module, name, nn.Parameter(chosen.contiguous()))
    size = "nf" if isinstance(module, Conv1D) else "out_features"
    if not outputs:
        size = "nx" if isinstance(module, Conv1D) else "in_features"
    setattr(module, size, len(places))
