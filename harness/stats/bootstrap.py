"""Confidence intervals of scores by the bootstrap over examples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.grouped import groups_of
from harness.metrics.base import Metric
from harness.metrics.resampling import Resampler, samples

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1000
LEVEL = 0.95
EXAMPLES_AT_LEAST = 10


@dataclass(frozen=True)
class Interval:
    """An interval at `level`, and how it was found."""

    low: float
    high: float
    level: float
    method: str


def interval(
    metric: Metric,
    predictions: np.ndarray | Sequence[Any],
    references: np.ndarray | Sequence[Any] | None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval:
    """The percentile bootstrap interval of a score, resampling examples (Efron & Tibshirani 1993, chapter 13).

    The percentile method keeps to the metric's scale and needs no variance formula; with few dozen examples it is
    somewhat too narrow. A fraction of 0 or 1 would get an interval of no width: it gets Wilson's instead (Wilson 1927),
    of as many as are drawn, which of retrieval are items. So does a mean of values between 0 and 1, since its distance
    from 0 or 1 is at most the fraction of values that are neither. For other metrics (F1 and its kin, correlations) a
    perfect score keeps an interval of no width: no sample of the examples can say more.
    Metrics with an `approximation` are resampled through it, and the method says so; the scale still bounds them.
    Deterministic in `seed`. Fewer than `EXAMPLES_AT_LEAST` examples say nothing of what others would score: the
    interval of a metric with two bounds is then its whole scale. Examples in groups are drawn with their whole group.

    Raises:
        HarnessError: as `metric.score` does, or a metric that is undefined on most samples.
    """
    import numpy as np

    groups = groups_of(references)
    predictions, references = metric.check(predictions, references)
    value = metric.score(predictions, references)
    n = len(references) if groups is None else int(groups.max()) + 1
    drawn_things = "examples" if groups is None else "groups"
    if n < EXAMPLES_AT_LEAST and metric.high is not None:
        return Interval(metric.low, metric.high, level, f"none: fewer than {EXAMPLES_AT_LEAST} {drawn_things}")
    drawn = metric.drawn(predictions, references)
    if drawn and value in (0.0, 1.0):
        drawn = drawn if groups is None else n
        low, high = wilson(round(value * drawn), drawn, level)
        return Interval(low, high, level, "Wilson score interval")
    random = np.random.Generator(np.random.PCG64(seed))
    if groups is not None:
        scorer = scorer_of(metric, predictions, references)
        scores = np.concatenate([scorer(weights) for weights in samples_of(groups, n, random, resamples)])
    elif metric.resample is not None:
        scores = metric.resample(predictions, references, random, resamples)
    else:
        draws = (random.integers(0, n, n) for _ in range(resamples))
        scores = np.asarray([metric.compute(predictions[rows], references[rows]) for rows in draws])
    defined = scores[np.isfinite(scores)]
    if 2 * len(defined) < resamples:
        raise HarnessError(
            f"metric {metric.name}: no finite score on {resamples - len(defined)} of {resamples} bootstrap samples"
        )
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    without = f", {resamples - len(defined)} undefined left out" if len(defined) < resamples else ""
    of = f" of {metric.approximation}" if metric.approximation else ""
    by = "" if groups is None else f" of {n} groups"
    method = f"percentile bootstrap{of}{by}, {resamples} resamples{without}"
    low, high = np.clip([low, high], metric.low, metric.high)
    return Interval(min(float(low), value), max(float(high), value), level, method)


def samples_of(groups: np.ndarray | None, n: int, random: np.random.Generator, b: int) -> Iterator[np.ndarray]:
    """How often each example is drawn in b samples of n examples, or of n groups, (rows, examples) at a time."""
    for weights in samples(n, random, b):
        yield weights if groups is None else weights[:, groups]


def scorer_of(metric: Metric, checked: np.ndarray, true: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """From how often each example is drawn in b samples, (b, n), to scores (b,)."""
    import numpy as np

    if isinstance(metric.resample, Resampler):
        return metric.resample.prepare(checked, true)

    def loop(weights: np.ndarray) -> np.ndarray:
        rows = (np.repeat(np.arange(len(true)), row.astype(int)) for row in weights)
        return np.asarray([metric.compute(checked[row], true[row]) for row in rows])

    return loop


def wilson(successes: int, n: int, level: float = LEVEL) -> tuple[float, float]:
    """Wilson's score interval for a fraction of `successes` in `n`."""
    from statistics import NormalDist

    z = NormalDist().inv_cdf(0.5 + level / 2)
    fraction = successes / n
    centre = (fraction + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(fraction * (1 - fraction) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (max(0.0, centre - half) if successes else 0.0), (min(1.0, centre + half) if successes < n else 1.0)
