"""Keys and values of a prefix, kept once and taken by many rows. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer


def cache_of(pairs: Sequence[torch.Tensor], rows: int | None = None) -> DynamicCache:
    """A cache that holds these keys and values (b, heads, t, size), two tensors a layer, without a copy of them.

    Args:
        pairs: None at all for a cache that is empty.
        rows: How many rows take them, where they are those of one.
    """
    cache = DynamicCache()
    for keys, values in zip(pairs[::2], pairs[1::2], strict=True):
        layer = DynamicLayer()
        layer.lazy_initialization(keys, values)
        layer.keys, layer.values = (part if rows is None else part.expand(rows, -1, -1, -1) for part in (keys, values))
        cache.layers.append(layer)
    return cache


def pairs_of(cache: Any) -> list[torch.Tensor]:
    """What `cache_of` makes a cache of."""
    return [part for layer in cache.layers for part in (layer.keys, layer.values)]


def is_plain(*caches: Any) -> bool:
    """Whether they hold nothing but the keys and values of all tokens."""
    return all(
        type(cache) is DynamicCache and all(type(layer) is DynamicLayer for layer in cache.layers) for cache in caches
    )
