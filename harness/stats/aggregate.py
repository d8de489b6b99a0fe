"""From scores of single runs to what a table shows: over seeds, over the metrics of a task, over tasks. Standard
library only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t at 97.5 % for 1 … 30 degrees of freedom."""


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval; the seeds behind it, and their standard deviation where there are several."""

    value: float
    low: float
    high: float
    per_seed: tuple[float, ...] = ()
    sd: float | None = None


def over_seeds(scores: Sequence[tuple[float, float, float]], bounds: tuple[float, float | None]) -> Estimate:
    """The mean over seeds of `(value, low, high)` scores on the same examples, within the scale's bounds; an upper
    bound of None: there is none.

    Two things are uncertain: the examples (each seed's own interval; seeds share the examples, so that averaging does
    not shrink it) and the seeds (t · sd / √S). They are independent, so that their half-widths add in quadrature. One
    seed says nothing of its own spread: its interval is of the examples alone.
    """
    values = [value for value, _, _ in scores]
    mean = fmean(values)
    below = fmean(value - low for value, low, _ in scores)
    above = fmean(high - value for value, _, high in scores)
    sd = stdev(values) if len(values) > 1 else None
    spread = t_quantile(len(values) - 1) * sd / math.sqrt(len(values)) if sd is not None else 0.0
    low = max(bounds[0], mean - math.hypot(below, spread))
    high = min(math.inf if bounds[1] is None else bounds[1], mean + math.hypot(above, spread))
    return Estimate(mean, low, high, tuple(values), sd)


def over_metrics(estimates: Sequence[Estimate]) -> Estimate:
    """A task's score: the mean of its metrics' and splits'. They share examples or models, so the half-widths are
    averaged, not added in quadrature.
    """
    value = fmean(estimate.value for estimate in estimates)
    low = value - fmean(estimate.value - estimate.low for estimate in estimates)
    high = value + fmean(estimate.high - estimate.value for estimate in estimates)
    return Estimate(value, low, high, *_seedwise(estimates))


def over_tasks(estimates: Sequence[Estimate], weights: Sequence[float] | None = None) -> Estimate:
    """The macro-average, or one with weights. Tasks are independent: the half-width is √Σ(wh)² / Σw."""
    weights = [1.0] * len(estimates) if weights is None else weights
    value = fmean([estimate.value for estimate in estimates], weights)
    pairs = list(zip(weights, estimates, strict=True))
    below = math.hypot(*(weight * (estimate.value - estimate.low) for weight, estimate in pairs)) / sum(weights)
    above = math.hypot(*(weight * (estimate.high - estimate.value) for weight, estimate in pairs)) / sum(weights)
    return Estimate(value, value - below, value + above, *_seedwise(estimates, weights))


def _seedwise(
    estimates: Sequence[Estimate], weights: Sequence[float] | None = None
) -> tuple[tuple[float, ...], float | None]:
    """Per-seed means and their deviation, where all estimates have the same number of seeds."""
    counts = {len(estimate.per_seed) for estimate in estimates}
    if len(counts) != 1 or counts == {0}:
        return (), None
    per_seed = tuple(
        fmean(values, weights) for values in zip(*(estimate.per_seed for estimate in estimates), strict=True)
    )
    return per_seed, stdev(per_seed) if len(per_seed) > 1 else None


def stdev(values: Sequence[float]) -> float:
    """The sample standard deviation. That of `statistics` is exact in fractions, which in a table of thousands of
    scores costs more than all else.
    """
    mean = fmean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def t_quantile(degrees: int) -> float:
    """Student's t at 97.5 %. Beyond the table by the Cornish–Fisher expansion in 1/degrees (Abramowitz & Stegun
    26.7.5).
    """
    if degrees <= len(T_975):
        return T_975[degrees - 1]
    z = 1.959964
    return z + (z**3 + z) / (4 * degrees) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * degrees**2)
