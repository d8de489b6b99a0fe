"""Scores of two parts of the same examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from statistics import fmean
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.core.errors import HarnessError
from harness.metrics.base import Metric
from harness.stats.bootstrap import EXAMPLES_AT_LEAST, wilson

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1000
"""Bootstrap samples."""
UNDEFINED = (HarnessError, ValueError, ZeroDivisionError)
"""What metrics raise on examples for which they are not defined."""


def clean_and_dirty(
    names: Sequence[str], seeds: Sequence[tuple[np.ndarray, np.ndarray]], is_dirty: Sequence[bool], seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Each metric on the clean and on the dirty examples, means over seeds, and the difference dirty − clean.

    Its interval is the percentile bootstrap within each part: examples are drawn with their predictions by all seeds,
    so that the seeds of a sample are paired. Where all samples of two fractions differ by the same, it is Newcombe's of
    1998. It is left out where one of the parts has fewer than 10 examples.

    Args:
        names: The metrics.
        seeds: Predictions and references (n,) of each seed.
        is_dirty: Which examples are dirty.
        seed: Of the samples.
    """
    import numpy as np

    mask = np.asarray(is_dirty, dtype=bool)
    n, count = len(mask), int(mask.sum())
    result: dict[str, dict[str, Any]] = {}
    for name in names:
        metric = metrics.get(name)
        checked = [metric.check(*pair) for pair in seeds]
        clean, dirty = _mean(metric, checked, np.flatnonzero(~mask)), _mean(metric, checked, np.flatnonzero(mask))
        facts: dict[str, Any] = {"clean": clean, "dirty": dirty, "difference": None}
        if clean is not None and dirty is not None and min(count, n - count) >= EXAMPLES_AT_LEAST:
            with suppress(*UNDEFINED):
                differences = _resampled(metric, checked, mask, seed) - _resampled(metric, checked, ~mask, seed + 1)
                differences = differences[np.isfinite(differences)]
                if 2 * len(differences) >= RESAMPLES:
                    low, high = np.quantile(differences, [0.025, 0.975])
                    if low == high:
                        counts = [metric.drawn(*_rows(checked[0], rows)) for rows in (mask, ~mask)]
                        low, high = _of_fractions((dirty, clean), counts) or (low, high)
                    facts["difference"] = {"value": dirty - clean, "low": float(low), "high": float(high)}
        result[name] = facts
    return result


def _of_fractions(values: Sequence[float], counts: Sequence[int | None]) -> tuple[float, float] | None:
    """The interval of a difference of two fractions that are 0 or 1, from Wilson's of both (Newcombe 1998, method 10);
    None of others.
    """
    if not all(count and value in (0.0, 1.0) for value, count in zip(values, counts, strict=True)):
        return None
    bounds = [wilson(round(value * n), n) for value, n in zip(values, counts, strict=True) if n]
    (value, less), ((low, high), (low_of_less, high_of_less)) = values, bounds
    below = math.hypot(value - low, high_of_less - less)
    above = math.hypot(high - value, less - low_of_less)
    return value - less - below, value - less + above


def _rows(pair: tuple[np.ndarray, np.ndarray], mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return pair[0][mask], pair[1][mask]


def _resampled(
    metric: Metric, seeds: Sequence[tuple[np.ndarray, np.ndarray]], mask: np.ndarray, seed: int
) -> np.ndarray:
    """The means of the seeds' scores on samples of some examples, the same samples for all of them."""
    import numpy as np

    rows = np.flatnonzero(mask)
    scores = []
    for predictions, references in seeds:
        random = np.random.Generator(np.random.PCG64(seed))
        if metric.resample is not None:
            scores.append(metric.resample(predictions[rows], references[rows], random, RESAMPLES))
            continue
        draws = (rows[random.integers(0, len(rows), len(rows))] for _ in range(RESAMPLES))
        scores.append(np.asarray([metric.compute(predictions[drawn], references[drawn]) for drawn in draws]))
    return np.mean(np.asarray(scores, dtype=np.float64), axis=0)


def _mean(metric: Metric, seeds: Sequence[tuple[np.ndarray, np.ndarray]], rows: np.ndarray) -> float | None:
    """The mean of the seeds' scores on some rows; None where there are none, or the metric is undefined on them."""
    if not len(rows):
        return None
    with suppress(*UNDEFINED):
        scores = [float(metric.compute(predictions[rows], references[rows])) for predictions, references in seeds]
        return fmean(scores) if all(map(math.isfinite, scores)) else None
    return None
