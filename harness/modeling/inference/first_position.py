"""Classifiers that read the first position alone: their last layer computes that one and no other. Imports torch at its
top.

BERT and its kin classify by the last layer's output at the first token. Keys and values of that layer are of all
positions, but queries, the feed-forward part and the norms of the others change nothing that is read: of two layers a
good third of the arithmetic, of six a seventh. What is dropped out is drawn for all positions as before, so that a seed
takes the steps it took without this, up to rounding, which a long training amplifies.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

BY_FIRST_TOKEN = ("Bert", "Roberta", "XLMRoberta", "Camembert", "Electra")
BY_POOLER = ("Bert", "Roberta", "XLMRoberta", "Camembert")
CLASSIFIERS = frozenset(
    {f"{kind}ForSequenceClassification" for kind in BY_FIRST_TOKEN} | {f"{kind}ForMultipleChoice" for kind in BY_POOLER}
)
"""Models of `transformers` whose output is made of the last layer's first position, and whose layers are BERT's."""


@contextmanager
def first_position(model: nn.Module) -> Iterator[bool]:
    """Within it the last layer of a classifier computes the first position alone: (b, 1, width) comes out of it.

    It yields whether it does: not of other models, of layers with other modules than torch's own (quantized ones, whose
    scales depend on what they are given, and adapters), and where one is within the other. On a GPU, and for who asks
    for attention maps, layers compute what they always do.
    """
    layer = _last_layer(model)
    if layer is None or "forward" in vars(layer):
        yield False
        return
    layer.forward = _Shortened(layer)
    try:
        yield True
    finally:
        del layer.forward


def _last_layer(model: nn.Module) -> Any:
    if type(model).__name__ not in CLASSIFIERS:
        return None
    base: Any = model.base_model
    if base.config.is_decoder or base.config.chunk_size_feed_forward or not len(base.encoder.layer):
        return None
    layer = base.encoder.layer[-1]
    attention = layer.attention.self
    linear = [attention.query, attention.key, attention.value]
    linear += [layer.attention.output.dense, layer.intermediate.dense, layer.output.dense]
    plain = all(type(part) is nn.Linear for part in linear)
    return layer if plain and attention.config._attn_implementation in ("sdpa", "eager") else None


class _Shortened:
    """The forward pass of a layer that keeps the first position."""

    def __init__(self, layer: Any) -> None:
        self._layer, self._whole = layer, layer.forward

    def __call__(
        self, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, *rest: Any, **named: Any
    ) -> torch.Tensor:
        if hidden_states.device.type != "cpu" or named.get("output_attentions"):
            whole: torch.Tensor = self._whole(hidden_states, attention_mask, *rest, **named)
            return whole
        layer, length, first = self._layer, hidden_states.shape[1], hidden_states[:, :1]
        attended = _attended(layer.attention.self, hidden_states, attention_mask)
        first = _added(layer.attention.output, attended, first, length)
        return _added(layer.output, layer.intermediate(first), first, length)


def _attended(attention: Any, hidden: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """What the first position attends to: (b, 1, heads · size)."""
    rows, length, _ = hidden.shape
    query, key, value = (
        layer(given).view(rows, -1, attention.num_attention_heads, attention.attention_head_size).transpose(1, 2)
        for layer, given in ((attention.query, hidden[:, :1]), (attention.key, hidden), (attention.value, hidden))
    )
    mask = None if mask is None else mask[:, :, :1]
    dropped = attention.dropout.p if attention.training else 0.0
    if dropped == 0 and attention.config._attn_implementation == "sdpa":
        mixed = functional.scaled_dot_product_attention(query, key, value, mask, scale=attention.scaling)
        return mixed.transpose(1, 2).reshape(rows, 1, -1)
    weights = query @ key.transpose(2, 3) * attention.scaling
    if mask is not None:
        weights = weights.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else weights + mask
    weights = weights.softmax(-1)
    if dropped > 0:
        kept = functional.dropout(weights.new_ones(rows, weights.shape[1], length, length), dropped)
        weights = weights * kept[:, :, :1]
    return (weights.to(value.dtype) @ value).transpose(1, 2).reshape(rows, 1, -1)


def _added(part: Any, inputs: torch.Tensor, residual: torch.Tensor, length: int) -> torch.Tensor:
    """The end of a sublayer: projected, dropped out, added to what went into it and normalized."""
    projected: torch.Tensor = part.dense(inputs)
    if part.dropout.training and part.dropout.p > 0:
        kept = part.dropout(projected.new_ones(()).expand(projected.shape[0], length, projected.shape[2]))
        projected = projected * kept[:, :1]
    normalized: torch.Tensor = part.LayerNorm(projected + residual)
    return normalized
