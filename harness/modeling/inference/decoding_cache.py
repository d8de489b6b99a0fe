"""Key–value caches of the decoding loops and the attention that reads them. Imports torch: import it inside functions.

A cache of `transformers` is copied as a whole for each new token, and once more when beams change places. Here a new
token takes its place in room kept behind the others. The beams of a text share what they have in common: the keys and
values of the encoder, of the prompt, and of every token that several of them descend from. Which of the stored tokens
a beam sees is a mask, so that beams change places without any key being moved.

Models whose attention goes through the attention interface of `transformers` can use it; for any other,
`reads_by_interface` says no.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import pad, scaled_dot_product_attention
from transformers import AttentionInterface, DynamicCache, EncoderDecoderCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

NAME = "harness_decoding"
"""Of the attention here, among those of `transformers`."""

ROOM = 32
"""Tokens that a layer has room for, at least, when it grows."""

DEAD = 0.25
"""A tree is pruned once this fraction of its tokens is seen by no beam any more."""


class UnfitError(Exception):
    """A model's attention asks for something that is not read here."""


class CrossLayer(DynamicLayer):
    """The keys and values of an encoder, which do not grow: keys lie as the product with a query reads them."""

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self.lazy_initialization(key_states, value_states)
        self.keys = key_states.transpose(2, 3).contiguous().transpose(2, 3)
        self.values = value_states.contiguous()
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        assert self.keys is not None
        assert self.values is not None
        self.keys = self.keys.transpose(2, 3).contiguous()[indices].transpose(2, 3)
        self.values = self.values[indices]


class RoomyLayer(DynamicLayer):
    """The keys and values (b, heads, t, width) of a layer, with room for more behind them."""

    filled = 0
    stores: tuple[torch.Tensor, torch.Tensor]

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        self._write(key_states, value_states)
        self.keys, self.values = (store[:, :, : self.filled] for store in self.stores)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        self.stores = (self.stores[0][indices], self.stores[1][indices])
        self.keys, self.values = (store[:, :, : self.filled] for store in self.stores)

    def _write(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        end = self.filled + keys.shape[2]
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
            self.stores = (_empty_like(keys, end + ROOM), _empty_like(values, end + ROOM))
        elif end > self.stores[0].shape[2]:
            room = max(ROOM, self.filled // 2)
            self.stores = (pad(self.stores[0], (0, 0, 0, room)), pad(self.stores[1], (0, 0, 0, room)))
        self.stores[0][:, :, self.filled : end] = keys
        self.stores[1][:, :, self.filled : end] = values
        self.filled = end


def _empty_like(states: torch.Tensor, length: int) -> torch.Tensor:
    batch, heads, _, width = states.shape
    return states.new_empty((batch, heads, length, width))


class Tree:
    """Which of the stored tokens each of k beams of b texts sees. All layers of a model share it.

    Attributes:
        beams: k.
        positions: (b, n) where in its text each of the n stored tokens stands.
        seen: (b, k, n) whether a beam descends from it.
        length: Tokens that the model believes to be stored for a beam.
    """

    def __init__(self, beams: int) -> None:
        self.beams = beams
        self.branches = False
        self.layers: list[TreeLayer] = []
        self.positions = torch.empty(0)
        self.seen = torch.empty(0)
        self.length = 0
        self._bias: tuple[Any, torch.Tensor] | None = None
        self.reads = 0

    def branch(self, mask: torch.Tensor) -> None:
        """From now on a text is k beams, which all see those tokens of the prompt that `mask` (b, t) shows."""
        self.branches, self.length = True, mask.shape[1]
        self.positions = torch.arange(self.length, device=mask.device).expand(mask.shape)
        self.seen = mask.bool().unsqueeze(1).expand(-1, self.beams, -1)

    def grow(self) -> None:
        """Make place for the next token of every beam, which it alone sees."""
        new = torch.full((len(self.seen), self.beams), self.length, device=self.seen.device)
        self.positions = torch.cat([self.positions, new], 1)
        only_itself = torch.eye(self.beams, dtype=torch.bool, device=self.seen.device).expand(len(self.seen), -1, -1)
        self.seen = torch.cat([self.seen, only_itself], 2)
        self.length += 1
        self._bias = None

    def follow(self, parents: torch.Tensor) -> None:
        """Each beam goes on from the one that `parents` (b, k) names. Tokens that none sees any more are forgotten at
        times.
        """
        stored = self.seen.shape[2]
        self.seen = self.seen.gather(1, parents.unsqueeze(2).expand(-1, -1, stored))
        if self.length % 4 == 0:
            living = self.seen.any(1)
            most = int(living.sum(1).max())
            if most < (1 - DEAD) * stored:
                kept = (~living).to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
                self.positions = self.positions.gather(1, kept)
                self.seen = self.seen.gather(2, kept.unsqueeze(1).expand(-1, self.beams, -1))
                for layer in self.layers:
                    layer.keep(kept)

    def check(self) -> None:
        """Raises UnfitError where not every layer has read the tree in a step."""
        if self.reads != len(self.layers):
            raise UnfitError(f"{self.reads} of {len(self.layers)} layers read their keys here")
        self.reads = 0

    def select(self, texts: torch.Tensor) -> None:
        """Go on with these texts alone."""
        self.positions, self.seen = self.positions[texts], self.seen[texts]

    def bias(self, position_bias: torch.Tensor | None, kind: torch.dtype) -> torch.Tensor:
        """What is added to the scores of a step, (b, 1 or heads, k, n); `position_bias` (1, heads, 1, length) is that
        of a model with relative positions. The same for all layers that share one.
        """
        if self._bias is None or self._bias[0] is not position_bias:
            hidden = torch.zeros(self.seen.shape, dtype=kind, device=self.seen.device)
            bias = hidden.masked_fill_(~self.seen, torch.finfo(kind).min).unsqueeze(1)
            if position_bias is not None:
                if position_bias.shape[0] != 1 or position_bias.shape[2:] != (1, self.length):
                    raise UnfitError(f"a position bias of shape {tuple(position_bias.shape)}")
                by_place = position_bias[0, :, 0].t()[self.positions]
                bias = by_place.permute(0, 2, 1).unsqueeze(2) + bias
            self._bias = (position_bias, bias)
        return self._bias[1]


class TreeLayer(RoomyLayer):
    """The keys and values of a layer, of all tokens of a `Tree`."""

    def __init__(self, tree: Tree) -> None:
        super().__init__()
        self.tree = tree
        self.believed = 0
        tree.layers.append(self)

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """What is returned while there are beams has the shape a model expects, and the layer for the attention."""
        self.believed += key_states.shape[2]
        if not self.tree.branches:
            return super().update(key_states, value_states)
        texts = len(self.tree.seen)
        self._write(*(each.unflatten(0, (texts, -1)).squeeze(3).transpose(1, 2) for each in (key_states, value_states)))
        shown = tuple(each.expand(-1, -1, self.believed, -1) for each in (key_states, value_states))
        setattr(shown[0], _LAYER, self)
        return shown

    def get_seq_length(self) -> int:
        return self.believed

    def keep(self, places: torch.Tensor) -> None:
        """Keep the tokens at `places` (b, n)."""
        batch, heads, room, width = self.stores[0].shape
        rows = torch.arange(batch * heads, device=places.device).view(batch, heads, 1) * room + places.unsqueeze(1)
        self.filled = places.shape[1]
        kept = []
        for store in self.stores:
            width = store.shape[3]
            new = store.new_empty((batch, heads, self.filled + ROOM, width))
            new[:, :, : self.filled] = store.view(-1, width)[rows.flatten()].view(batch, heads, -1, width)
            kept.append(new)
        self.stores = (kept[0], kept[1])


_LAYER = "harness_layer"


def reads_by_interface(model: Any) -> bool:
    """Whether a model's attention can be that of this module: one of `transformers`, in torch's fused attention now,
    and with nothing but plain caches of keys and values; none that stands for a graph, which has no parameters.
    """
    if not isinstance(model, PreTrainedModel) or getattr(model.config, "_attn_implementation", None) != "sdpa":
        return False
    if next(model.parameters(), None) is None:
        return False
    can_set = getattr(type(model), "_can_set_attn_implementation", None)
    if can_set is None or not can_set() or hasattr(model, "_reorder_cache") or getattr(model, "_is_stateful", False):
        return False
    layers = DynamicCache(config=model.config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


@contextmanager
def attention_of(model: PreTrainedModel) -> Iterator[None]:
    """Within, the model's attention is that of this module."""
    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    configs = {id(each.config): each.config for each in model.modules() if isinstance(each, PreTrainedModel)}
    changed = [config for config in configs.values() if config._attn_implementation == "sdpa"]
    for config in changed:
        config._attn_implementation = NAME
    try:
        yield
    finally:
        for config in changed:
            config._attn_implementation = "sdpa"


def cache_for(model: PreTrainedModel, tree: Tree | None = None) -> Any:
    """An empty cache for a model, of beams where a `tree` is given."""

    def new() -> TreeLayer | RoomyLayer:
        return RoomyLayer() if tree is None else TreeLayer(tree)

    cache = _cache_of(new)
    return EncoderDecoderCache(cache, _cache_of(CrossLayer)) if model.config.is_encoder_decoder else cache


def _cache_of(new: Any) -> DynamicCache:
    """An empty cache whose layers `new` makes."""
    cache = DynamicCache()
    cache.layer_class_to_replicate = new
    return cache


def attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    position_bias: torch.Tensor | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """An attention function as `transformers` calls it. Queries (k·b, heads, t, width) of k beams a text may meet keys
    (b, heads, s, width) that the beams share.

    Raises:
        UnfitError: the model asks for more than a scaled, masked softmax.
    """
    layer = getattr(key, _LAYER, None)
    bias: torch.Tensor | None
    if layer is None and (query.shape[2] > 1 or kwargs.get("output_attentions")):
        return sdpa_attention_forward(
            module, query, key, value, attention_mask, scaling=scaling, position_bias=position_bias, **kwargs
        )
    if any(kwargs.get(name) is not None for name in ("softcap", "s_aux")) or kwargs.get("dropout"):
        raise UnfitError("its attention has a cap, sinks or dropout")
    if layer is not None:
        if attention_mask is not None and attention_mask.dtype != torch.bool:
            raise UnfitError("its attention adds to the scores")
        tree = layer.tree
        tree.reads += 1
        key, value = (store[:, :, : layer.filled] for store in layer.stores)
        bias = tree.bias(position_bias, query.dtype)
    rows, heads, _, width = query.shape
    texts, groups = key.shape[:2]
    beams, queries = rows // texts, heads // groups
    if layer is None:
        mask = attention_mask
        if mask is not None and beams > 1 and mask.shape[0] == rows:
            mask = mask[::beams]
        if position_bias is not None and query.device.type == "cpu" and not position_bias.any():
            position_bias = None  # that of cross-attention
        bias = _added(mask, position_bias, query.dtype)
    if queries > 1 and bias is not None and bias.shape[1] > 1:
        raise UnfitError("its grouped heads have each its own bias")
    if bias is not None and queries > 1 and bias.shape[2] > 1:
        bias = bias.repeat_interleave(queries, 2)
    by_text = query.view(texts, beams, groups, queries, width).transpose(1, 2).reshape(texts, groups, -1, width)
    scale = width**-0.5 if scaling is None else scaling
    if query.device.type == "cpu" and query.dtype == torch.float32:
        scores = torch.matmul(by_text if scale == 1 else by_text * scale, key.transpose(2, 3))
        weights = (scores if bias is None else scores.add_(bias)).softmax(-1)
        output = torch.matmul(weights, value)
    else:
        output = scaled_dot_product_attention(by_text, key, value, attn_mask=bias, scale=scale, enable_gqa=False)
    output = output.view(texts, groups, beams, queries, -1).transpose(1, 2)
    return output.reshape(rows, 1, heads, -1), None


def _added(mask: torch.Tensor | None, bias: torch.Tensor | None, kind: torch.dtype) -> torch.Tensor | None:
    """A mask, True or 0 where attention goes, and a bias as what is added to scores."""
    if mask is None:
        return bias
    if mask.dtype != torch.bool:
        return mask if bias is None else mask + bias
    lowest = torch.finfo(kind).min
    if bias is None:
        return torch.zeros(mask.shape, dtype=kind, device=mask.device).masked_fill_(~mask, lowest)
    return torch.where(mask, bias, lowest)
