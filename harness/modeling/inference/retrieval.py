"""Retrieval of items by captions and of captions by items: from vectors to ranks, and to what was the likeliest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from harness.core.errors import HarnessError
from harness.core.ranks import Ranks, Retrieved

BLOCK_VALUES = 4_000_000
"""Similarities held at once: 48 MB."""


def retrieve(
    items: np.ndarray, captions: np.ndarray, item_of: Sequence[int] | np.ndarray
) -> tuple[list[str], Retrieved]:
    """At which ranks each item and its captions are retrieved by the dot products of their vectors, and what is first.

    Products are summed in double precision and compared in single precision: equal vectors are equally similar, in
    whatever block they stand.

    Args:
        items: (i, d), each item once.
        captions: (n, d).
        item_of: Of each caption, the number of its item; n of them, each item at least once.

    Returns:
        n `Ranks`, as JSON, and what was retrieved.

    Raises:
        HarnessError: vectors that are not finite.
    """
    for what, vectors in (("items", items), ("captions", captions)):
        if bad := int((~np.isfinite(vectors)).any(axis=1).sum()):
            raise HarnessError(f"the model's vectors of {bad} of {len(vectors)} {what} are not finite: nothing to rank")
    of_caption = np.asarray(item_of, dtype=np.int64)
    by_item = np.argsort(of_caption, kind="stable")
    starts = np.searchsorted(of_caption[by_item], np.arange(len(items) + 1))
    captions_of = [by_item[start:end] for start, end in pairwise(starts)]
    n = len(captions)
    among_items, among_captions = np.empty(n), np.empty(n)
    similarity, first_item, first_caption = np.empty(n), np.empty(n, np.int64), np.empty(n, np.int64)
    of_first_item, of_first_caption = np.empty(n), np.empty(n)
    for start, similarities in _blocks(captions, items):
        for row, similar in enumerate(similarities, start):
            right = of_caption[row : row + 1]
            similarity[row], among_items[row] = similar[right[0]], _ranks(similar, right)[0]
            item = _first(similar, right)
            first_item[row], of_first_item[row] = captions_of[item][0], similar[item]
    for start, similarities in _blocks(items, captions):
        for number, similar in enumerate(similarities, start):
            right = captions_of[number]
            among_captions[right] = _ranks(similar, right)
            first_caption[right] = caption = _first(similar, right)
            of_first_caption[right] = similar[caption]
    predictions = [""] * n
    for of_item in captions_of:
        for number, row in enumerate(of_item.tolist()):
            predictions[row] = Ranks(
                item=int(of_item[0]),
                caption=number,
                captions=tuple(among_captions[of_item].tolist()),
                items=tuple(among_items[of_item].tolist()),
                captions_there=n,
                items_there=len(items),
            ).model_dump_json()
    return predictions, Retrieved(similarity, first_caption, of_first_caption, first_item, of_first_item)


def _blocks(rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Similarities (b, columns) of some rows at a time, and which is the first of them."""
    transposed = columns.astype(np.float64).T
    size = max(1, BLOCK_VALUES // max(1, len(columns)))
    for start in range(0, len(rows), size):
        yield start, (rows[start : start + size].astype(np.float64) @ transposed).astype(np.float32)


def _ranks(similar: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The ranks among similarities (k,) of those at `right`."""
    values = similar[right, None]
    greater = (similar > values).sum(axis=1)
    equal = (similar == values).sum(axis=1)
    return greater + (equal + 1) / 2


def _first(similar: np.ndarray, right: np.ndarray) -> int:
    """Where the greatest of similarities (k,) stands, one that is not at `right` where several are equal."""
    greatest = similar == similar.max()
    wrong = greatest.copy()
    wrong[right] = False
    return int((wrong if wrong.any() else greatest).argmax())
