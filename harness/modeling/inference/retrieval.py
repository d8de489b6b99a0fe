"""Retrieval of items by captions and of captions by items: from vectors to ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from harness.core.ranks import Ranks

BLOCK_VALUES = 4_000_000
"""Similarities held at once: 48 MB."""


def ranks_of(items: np.ndarray, captions: np.ndarray, item_of: Sequence[int] | np.ndarray) -> list[str]:
    """At which ranks each item and its captions are retrieved by the dot products of their vectors.

    Products are summed in double precision and compared in single precision: equal vectors are equally similar, in
    whatever block they stand.

    Args:
        items: (i, d), each item once.
        captions: (n, d).
        item_of: Of each caption, the number of its item; n of them, each item at least once.

    Returns:
        n `Ranks`, as JSON.
    """
    of_caption = np.asarray(item_of, dtype=np.int64)
    by_item = np.argsort(of_caption, kind="stable")
    starts = np.searchsorted(of_caption[by_item], np.arange(len(items) + 1))
    captions_of = [by_item[start:end] for start, end in pairwise(starts)]
    among_items = np.empty(len(captions))
    for start, similarities in _blocks(captions, items):
        rows = np.arange(len(similarities))
        among_items[start + rows] = _ranks(similarities, similarities[rows, of_caption[start + rows]])
    among_captions = np.empty(len(captions))
    for start, similarities in _blocks(items, captions):
        for row, similar in enumerate(similarities):
            of_item = captions_of[start + row]
            among_captions[of_item] = _ranks(similar[None, :], similar[of_item])
    predictions = [""] * len(captions)
    for of_item in captions_of:
        for number, row in enumerate(of_item.tolist()):
            predictions[row] = Ranks(
                item=int(of_item[0]),
                caption=number,
                captions=tuple(among_captions[of_item].tolist()),
                items=tuple(among_items[of_item].tolist()),
                captions_there=len(captions),
                items_there=len(items),
            ).model_dump_json()
    return predictions


def _blocks(rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Similarities (b, columns) of some rows at a time, and which is the first of them."""
    transposed = columns.astype(np.float64).T
    size = max(1, BLOCK_VALUES // max(1, len(columns)))
    for start in range(0, len(rows), size):
        yield start, (rows[start : start + size].astype(np.float64) @ transposed).astype(np.float32)


def _ranks(similarities: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The rank of each value (b,) among similarities (b, k) or (1, k), of which it is one."""
    values = values.reshape(-1, 1)
    greater = (similarities > values).sum(axis=1)
    equal = (similarities == values).sum(axis=1)
    return greater + (equal + 1) / 2
