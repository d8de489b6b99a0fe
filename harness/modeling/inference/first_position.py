"""Classifiers that read the first position alone: their last layer computes that one and no other. Imports torch at its
top.

BERT and its kin classify by the last layer's output at the first token. Keys and values of that layer are of all
positions, but queries, the feed-forward part and the norms of the others change nothing that is read: of two layers a
good third of the arithmetic, of six a seventh. Training with dropout on a CPU does the same in
`harness.training.encoder_layer`.
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
    scales depend on what they are given, and adapters), and where one is within the other. On a GPU, where something is
    dropped out, and for who asks for attention maps, layers compute what they always do.
    """
    layer = reads_first_position(model)
    before = None if layer is None else vars(layer).get("forward")
    if layer is None or isinstance(before, _Shortened):
        yield False
        return
    layer.forward = _Shortened(layer)
    try:
        yield True
    finally:
        if before is None:
            del layer.forward
        else:
            layer.forward = before


def reads_first_position(model: nn.Module) -> Any:
    """The last layer of a classifier that reads its first position alone; None of other models."""
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
        layer = self._layer
        drops = layer.training and any(isinstance(part, nn.Dropout) and part.p > 0 for part in layer.modules())
        if drops or hidden_states.device.type != "cpu" or named.get("output_attentions"):
            whole: torch.Tensor = self._whole(hidden_states, attention_mask, *rest, **named)
            return whole
        first = hidden_states[:, :1]
        first = _added(layer.attention.output, _attended(layer.attention.self, hidden_states, attention_mask), first)
        return _added(layer.output, layer.intermediate(first), first)


def _attended(attention: Any, hidden: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """What the first position attends to: (b, 1, heads · size)."""
    rows = hidden.shape[0]
    query, key, value = (
        layer(given).view(rows, -1, attention.num_attention_heads, attention.attention_head_size).transpose(1, 2)
        for layer, given in ((attention.query, hidden[:, :1]), (attention.key, hidden), (attention.value, hidden))
    )
    mask = None if mask is None else mask[:, :, :1]
    if attention.config._attn_implementation == "sdpa":
        mixed = functional.scaled_dot_product_attention(query, key, value, mask, scale=attention.scaling)
        return mixed.transpose(1, 2).reshape(rows, 1, -1)
    weights = query @ key.transpose(2, 3) * attention.scaling
    if mask is not None:
        weights = weights.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else weights + mask
    return (weights.softmax(-1).to(value.dtype) @ value).transpose(1, 2).reshape(rows, 1, -1)


def _added(part: Any, inputs: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    """The end of a sublayer: projected, added to what went into it and normalized."""
    normalized: torch.Tensor = part.LayerNorm(part.dense(inputs) + residual)
    return normalized
