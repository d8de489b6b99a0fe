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
from harness.stats.bootstrap import EXAMPLES_AT_LEAST

if TYPE_CHECKING:
    import numpy as np

RESAMPLES, OF_TEXTS = 1000, 200
"""Bootstrap samples, and of metrics of texts, whose every score takes long."""


def clean_and_dirty(
    names: Sequence[str], seeds: Sequence[tuple[np.ndarray, np.ndarray]], is_dirty: Sequence[bool], seed: int = 0
) -> dict[str, dict[str, Any]]:
    """Each metric on the clean and on the dirty examples, means over seeds, and the difference dirty − clean.

    Its interval is the percentile bootstrap: whole examples are drawn with their predictions by all seeds, so that the
    seeds of a sample are paired. It is left out where one of the parts has fewer than 10 examples.

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
            random = np.random.Generator(np.random.PCG64(seed))
            differences = []
            for _ in range(OF_TEXTS if metric.inputs == "texts" else RESAMPLES):
                drawn = random.integers(0, n, n)
                clean_part = _mean(metric, checked, drawn[~mask[drawn]])
                other = _mean(metric, checked, drawn[mask[drawn]])
                if clean_part is not None and other is not None:
                    differences.append(other - clean_part)
            if len(differences) >= OF_TEXTS // 2:
                low, high = np.quantile(differences, [0.025, 0.975])
                facts["difference"] = {"value": dirty - clean, "low": float(low), "high": float(high)}
        result[name] = facts
    return result


def _mean(metric: Metric, seeds: Sequence[tuple[np.ndarray, np.ndarray]], rows: np.ndarray) -> float | None:
    """The mean of the seeds' scores on some rows; None where there are none, or the metric is undefined on them."""
    if not len(rows):
        return None
    with suppress(HarnessError, ValueError, ZeroDivisionError):
        scores = [float(metric.compute(predictions[rows], references[rows])) for predictions, references in seeds]
        return fmean(scores) if all(map(math.isfinite, scores)) else None
    return None
