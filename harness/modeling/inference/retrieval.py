"""At which ranks items and captions find each other, by the similarity of their vectors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.core.ranks import Ranks

BLOCK = 2**22
"""Similarities that are held at once."""


def ranks_of(items: np.ndarray, captions: np.ndarray, item_of: Sequence[int] | np.ndarray) -> list[str]:
    """The ranks of each pair of an item and a caption, as JSON of `Ranks`.

    A rank is one more than the number of those that are more similar, and half of the others that are as similar.

    Args:
        items: Vectors (i, size) of the items.
        captions: Vectors (n, size) of the captions, a row each.
        item_of: Of each caption the number of its item (n,).

    Returns:
        n texts.
    """
    numbers = np.asarray(item_of, dtype=np.int64)
    owned = [np.flatnonzero(numbers == item) for item in range(len(items))]
    of_caption = _ranks(captions, items, [numbers[row : row + 1] for row in range(len(captions))])
    of_item = _ranks(items, captions, owned)
    return [
        Ranks(
            item=int(owned[item][0]),
            captions=of_item[item].tolist(),
            of_caption=float(of_caption[row][0]),
            captions_there=len(captions),
            items_there=len(items),
        ).model_dump_json()
        for row, item in enumerate(numbers)
    ]


def _ranks(asking: np.ndarray, asked: np.ndarray, right: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Of each vector that asks the ranks of those that are right, among all that are asked."""
    step = max(1, BLOCK // max(1, len(asked)))
    ranks = []
    for start in range(0, len(asking), step):
        similarity = asking[start : start + step].astype(np.float64) @ asked.T.astype(np.float64)
        for row, places in zip(similarity, right[start : start + step], strict=True):
            wanted = row[places][:, None]
            above, level = (row > wanted).sum(1), (row == wanted).sum(1)
            ranks.append(1 + above + (level - 1) / 2)
    return ranks
