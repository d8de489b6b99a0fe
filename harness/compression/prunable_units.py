"""PrunableUnits that can be removed from a transformer: neurons of feed-forward layers, heads of attention.

A unit is a slice of the outputs of some projections (producers) that a single one (the consumer) reads: without it both
are smaller, and the model computes what it would with the unit's output at zero. Imports torch: import it inside
functions.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from harness.modeling.weights.layers import output_axis


@dataclass(frozen=True)
class Layout:
    """How a kind of layer holds its units, by names below the module that has them all. Not all have the `optional`
    producers.
    """

    producers: tuple[str, ...]
    consumer: str
    parts: int = 1
    table: str = ""
    optional: tuple[str, ...] = ()


LAYOUTS = {
    "ffn": (
        Layout(("intermediate.dense",), "output.dense"),
        Layout(("lin1",), "lin2"),
        Layout(("c_fc",), "c_proj"),
        Layout(("wi",), "wo"),
        Layout(("wi_0", "wi_1"), "wo"),
        Layout(("Wi",), "Wo", parts=2),
    ),
    "heads": (
        Layout(("self.query", "self.key", "self.value"), "output.dense"),
        Layout(
            ("self.query_proj", "self.key_proj", "self.value_proj"),
            "output.dense",
            optional=("self.pos_key_proj", "self.pos_query_proj"),
        ),
        Layout(("q_lin", "k_lin", "v_lin"), "out_lin"),
        Layout(("c_attn",), "c_proj", parts=3),
        Layout(("q", "k", "v"), "o", table="relative_attention_bias"),
        Layout(("Wqkv",), "Wo", parts=3),
    ),
}
"""BERT's names, those of DeBERTa from its second version on, DistilBERT's, GPT-2's, T5's and ModernBERT's. `parts`: how
many times over a producer's outputs hold all units, one after the other (queries, keys and values of GPT-2). `table`:
an embedding with a column a unit, which the first layer of a stack has for all (T5's relative positions): its units go
in all layers or in none."""

SIZES = ("attention_head_size", "head_dim", "key_value_proj_dim")
COUNTS = ("num_attention_heads", "num_heads", "n_heads")
WIDTHS = ("all_head_size", "split_size", "inner_dim")
"""What attention modules call the width of a head, the number of heads, and the product of both."""


@dataclass(frozen=True)
class PrunableUnits:
    """The units of a layer: `count` slices of `size` outputs of the producers, inputs of the consumer.

    Layers of the same `together` lose the same units.
    """

    producers: tuple[str, ...]
    consumer: str
    count: int
    size: int
    parts: int
    table: str | None
    together: str


def units_of(model: PreTrainedModel, kind: str) -> list[PrunableUnits]:
    """All units of a kind, `ffn` or `heads`, a layer each."""
    modules = dict(model.named_modules())
    units = []
    for owner in modules:
        for layout in LAYOUTS[kind]:
            there = [name for name in layout.optional if f"{owner}.{name}" in modules]
            names = [f"{owner}.{name}" for name in (*layout.producers, *there, layout.consumer)]
            if all(isinstance(modules.get(name), nn.Linear | Conv1D) for name in names):
                last = modules[names[-1]]
                inputs = last.weight.shape[1 - output_axis(last)]
                first = modules[names[0]]
                if first.weight.shape[output_axis(first)] != layout.parts * inputs:
                    continue
                size = 1 if kind == "ffn" else _number(_owner(model, names[0]), SIZES)
                table = f"{owner}.{layout.table}"
                # Of `encoder.block.3.layer.0.SelfAttention` all but the block's number.
                together = re.sub(r"\.\d+\.", ".*.", owner, count=1) if layout.table else names[-1]
                units.append(
                    PrunableUnits(
                        producers=tuple(names[:-1]),
                        consumer=names[-1],
                        count=inputs // size,
                        size=size,
                        parts=layout.parts,
                        table=table if layout.table and table in modules else None,
                        together=together,
                    )
                )
    return units


def _owner(model: PreTrainedModel, module: str) -> nn.Module:
    return model.get_submodule(module.rpartition(".")[0])


def _number(module: nn.Module, names: Sequence[str]) -> int:
    return next(int(value) for name in names if (value := getattr(module, name, None)) is not None)


def remove(model: PreTrainedModel, units: PrunableUnits, kept: Sequence[int]) -> None:
    """Leave only the units `kept` of a layer."""
    places = (torch.as_tensor(kept)[:, None] * units.size + torch.arange(units.size)[None, :]).flatten()
    width = units.count * units.size
    outputs = torch.cat([places + part * width for part in range(units.parts)])
    for name in units.producers:
        module = model.get_submodule(name)
        _slice(module, output_axis(module), outputs)
    consumer = model.get_submodule(units.consumer)
    _slice(consumer, 1 - output_axis(consumer), places)
    if units.table:
        table = model.get_submodule(units.table)
        assert isinstance(table, nn.Embedding)
        table.weight = nn.Parameter(table.weight.detach().index_select(1, torch.as_tensor(kept)))
        table.embedding_dim = len(kept)
    owner = vars(_owner(model, units.producers[0]))
    owner |= {name: len(kept) for name in COUNTS if name in owner} | {
        name: len(places) for name in WIDTHS if name in owner
    }


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
