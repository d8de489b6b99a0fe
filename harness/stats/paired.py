"""Differences between predictions of the same examples, with intervals by the paired bootstrap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.metrics.base import Metric
from harness.metrics.resampling import Resampler, samples
from harness.stats.aggregate import Estimate, over_seeds
from harness.stats.bootstrap import LEVEL, RESAMPLES

if TYPE_CHECKING:
    import numpy as np

DIGITS = 12
"""Changes are rounded to so many: a sum of equal terms in another order is no change."""


@dataclass(frozen=True)
class Pair:
    """What models of S seeds say of the same n examples before a change and after it: S arrays (n,) each, and the
    references (n,).
    """

    before: Sequence[np.ndarray]
    after: Sequence[np.ndarray]
    references: np.ndarray


def change(
    pairs: Sequence[Pair],
    metrics: Sequence[Metric],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """How much the mean score over pairs (splits of a task) and metrics changes; a drop is negative.

    A sample of the examples is scored before and after with all seeds, and the seeds' differences are averaged: what
    makes an example hard on both sides, and for all seeds, cancels (Efron & Tibshirani 1993, chapter 8; Koehn 2004).
    The interval of the examples is the percentile interval of these means. With several seeds their spread (t · sd of
    the seeds' differences / √S) is added in quadrature, as in `harness.stats.aggregate`. Splits are resampled apart.

    Raises:
        HarnessError: a score that is undefined on most samples.
    """
    import numpy as np

    per_seed = [
        round(
            fmean(
                metric.score(pair.after[seed], pair.references) - metric.score(pair.before[seed], pair.references)
                for pair in pairs
                for metric in metrics
            ),
            DIGITS,
        )
        for seed in range(len(pairs[0].before))
    ]
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = np.mean([_resampled(pair, metrics, random, resamples) for pair in pairs], axis=0).round(DIGITS)
    defined = drawn[np.isfinite(drawn)]
    if 2 * len(defined) < resamples:
        names = ", ".join(metric.name for metric in metrics)
        raise HarnessError(f"{names}: no finite score on {resamples - len(defined)} of {resamples} bootstrap samples")
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    value = fmean(per_seed)
    below, above = max(0.0, value - float(low)), max(0.0, float(high) - value)
    return over_seeds(
        [(difference, difference - below, difference + above) for difference in per_seed], (-np.inf, None)
    )


def _resampled(pair: Pair, metrics: Sequence[Metric], random: np.random.Generator, resamples: int) -> np.ndarray:
    """Changes (resamples,) on samples of a pair's examples, means over seeds and metrics."""
    import numpy as np

    sides = [
        (sign, scored)
        for metric in metrics
        for sign, predictions in ((-1, pair.before), (1, pair.after))
        for scored in _scorers(metric, predictions, pair.references)
    ]
    terms = len(metrics) * len(pair.before)
    return np.concatenate(
        [
            sum(sign * scored(weights) for sign, scored in sides) / terms
            for weights in samples(len(pair.references), random, resamples)
        ]
    )


def _scorers(
    metric: Metric, predictions: Sequence[np.ndarray], references: np.ndarray
) -> Iterator[Callable[[np.ndarray], np.ndarray]]:
    """For each seed's predictions a function from samples (b, n) to scores (b,)."""
    import numpy as np

    for predicted in predictions:
        checked, true = metric.check(predicted, references)
        if isinstance(metric.resample, Resampler):
            yield metric.resample.prepare(checked, true)
            continue

        def loop(weights: np.ndarray, checked: np.ndarray = checked, true: np.ndarray = true) -> np.ndarray:
            rows = (np.repeat(np.arange(len(true)), row.astype(int)) for row in weights)
            return np.asarray([metric.compute(checked[row], true[row]) for row in rows])

        yield loop
