"""Retrieval of texts by items (images, sounds) and of items by texts, in the definitions of CLIP_benchmark (LAION 2022)
and those before it (Faghri et al. 2018): recall at k, the median rank, and mean average precision.

- `text_retrieval_recall_k`: the fraction of items of which a caption, any of theirs, is among the k likeliest ones;
- `item_retrieval_recall_k`: the fraction of captions whose item is among the k likeliest ones;
- `*_median_rank`: the median of the rank of an item's best caption, and of that of a caption's item;
- `*_map`: the mean of average precision, of all captions of an item, and of the one item of a caption, where it is 1
  over its rank.

An item counts once, however many captions it has, and is drawn with all of them. Chance is a random order: there are
as many captions and items as references tell, which name the item of each row.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import comb

import numpy as np

from harness.core.errors import HarnessError
from harness.core.ranks import Ranks, ranks_in
from harness.metrics.base import Metric
from harness.metrics.resampling import by_sums, by_weights

Values = Callable[[Ranks], Sequence[float]]
"""What an item scores: one value, or one for each of its captions."""

Right = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""From checked predictions and references to which of them are right, (n,)."""


_read = lru_cache(maxsize=100_000)(ranks_in)


def _pairs(predictions: np.ndarray) -> list[Ranks]:
    pairs = []
    for at, text in enumerate(predictions):
        if (ranks := _read(text)) is None:
            raise HarnessError(f"the prediction at {at} is {str(text)[:60]!r}; it takes the ranks of a pair")
        pairs.append(ranks)
    return pairs


def _items(predictions: np.ndarray) -> list[tuple[int, Ranks]]:
    """The rows that are the first of an item."""
    rows = [(at, ranks) for at, ranks in enumerate(_pairs(predictions)) if ranks.caption == 0]
    if not rows:
        raise HarnessError("nothing to score: no row is the first of an item")
    return rows


def _sums(of_item: Values, predictions: np.ndarray) -> np.ndarray:
    """(n, 2): on the first row of each item the sum of what it scores and of how many values that is, else 0."""
    sums = np.zeros((len(predictions), 2))
    for at, ranks in _items(predictions):
        values = of_item(ranks)
        sums[at] = sum(values), len(values)
    return sums


def _mean(sums: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return sums[:, 0] / sums[:, 1]


def average_precision(ranks: Sequence[float]) -> float:
    """Of the ranks of all that is relevant."""
    return sum(place / rank for place, rank in enumerate(sorted(ranks), start=1)) / len(ranks)


def _mean_of(
    name: str, of_item: Values, chance: Callable[[Sequence[int]], float], right: Right | None = None
) -> Metric:
    """The mean of values, of an item or of each of its captions; `chance` is of how many captions each item has."""
    return Metric(
        name=name,
        version=1,
        inputs="ranks",
        low=0.0,
        high=1.0,
        compute=lambda predictions, references: float(_mean(_sums(of_item, predictions).sum(axis=0)[None])[0]),
        chance=lambda references: chance(_captions_of_items(references)),
        resample=by_sums(lambda predictions, references: _sums(of_item, predictions), _mean),
        right=right,
        draws=lambda predictions, references: len(_items(predictions)),
    )


def _captions_of_items(references: np.ndarray) -> list[int]:
    return list(Counter(item for (item,) in references).values())


def _median_of(name: str, of_item: Values, chance: Callable[[Sequence[int]], float]) -> Metric:
    def prepare(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        pairs = sorted((value, at) for at, ranks in _items(predictions) for value in of_item(ranks))
        values, rows = np.asarray([value for value, _ in pairs]), np.asarray([at for _, at in pairs])
        return lambda weights: _weighted_medians(values, weights[:, rows])

    return Metric(
        name=name,
        version=1,
        inputs="ranks",
        low=1.0,
        high=None,
        compute=lambda predictions, references: float(
            np.median([value for _, ranks in _items(predictions) for value in of_item(ranks)])
        ),
        chance=lambda references: chance(_captions_of_items(references)),
        resample=by_weights(prepare),
        greater_is_better=False,
    )


def _weighted_medians(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(b,) medians of sorted values (k,) that are there as often as weights (b, k) say."""
    sums = weights.cumsum(axis=1)
    half = sums[:, -1:] / 2
    below = np.minimum((sums < half).sum(axis=1), len(values) - 1)
    above = np.minimum((sums <= half).sum(axis=1), len(values) - 1)
    return np.where(half[:, 0] > 0, (values[below] + values[above]) / 2, np.nan)


def _chance_of_recall(m: int, n: int, k: int) -> float:
    """That of n things in random order one of m is among the first k."""
    return 1 - comb(n - m, k) / comb(n, k) if k <= n else 1.0


def _chance_of_precision(m: int, n: int) -> float:
    """The mean average precision of m things among n in random order."""
    harmonic = math.fsum(1 / place for place in range(1, n + 1))
    return (harmonic + ((m - 1) / (n - 1) * (n - harmonic) if n > 1 else 0.0)) / n


def _chance_of_median(counts: Sequence[int], n: int) -> float:
    """The median of the best rank, in random orders of n things, of as many as `counts` say."""
    of_count = Counter(counts)

    def within(rank: int) -> float:
        return sum(many * _chance_of_recall(m, n, rank) for m, many in of_count.items()) / len(counts)

    low, high = 1, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if within(middle) >= 0.5 else (middle + 1, high)
    return float(low)


def _text_recall(k: int) -> Metric:
    return _mean_of(
        f"text_retrieval_recall_{k}",
        lambda ranks: [float(min(ranks.captions) <= k)],
        lambda counts: sum(_chance_of_recall(m, sum(counts), k) for m in counts) / len(counts),
    )


def _item_recall(k: int) -> Metric:
    return _mean_of(
        f"item_retrieval_recall_{k}",
        lambda ranks: [float(rank <= k) for rank in ranks.items],
        lambda counts: min(1.0, k / len(counts)),
        lambda predictions, references: np.asarray([pair.of_caption <= k for pair in _pairs(predictions)]),
    )


TEXT_RECALL_1, TEXT_RECALL_5, TEXT_RECALL_10 = map(_text_recall, (1, 5, 10))
ITEM_RECALL_1, ITEM_RECALL_5, ITEM_RECALL_10 = map(_item_recall, (1, 5, 10))
TEXT_MEDIAN_RANK = _median_of(
    "text_retrieval_median_rank",
    lambda ranks: [min(ranks.captions)],
    lambda counts: _chance_of_median(counts, sum(counts)),
)
ITEM_MEDIAN_RANK = _median_of(
    "item_retrieval_median_rank",
    lambda ranks: ranks.items,
    lambda counts: _chance_of_median([1] * len(counts), len(counts)),
)
TEXT_MAP = _mean_of(
    "text_retrieval_map",
    lambda ranks: [average_precision(ranks.captions)],
    lambda counts: sum(_chance_of_precision(m, sum(counts)) for m in counts) / len(counts),
)
ITEM_MAP = _mean_of(
    "item_retrieval_map",
    lambda ranks: [1 / rank for rank in ranks.items],
    lambda counts: _chance_of_precision(1, len(counts)),
)
