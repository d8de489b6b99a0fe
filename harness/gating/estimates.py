"""How much worse a candidate is: the drop of a pair, its interval and its p, before any verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from harness import metrics
from harness.core.errors import HarnessError
from harness.gating.pairing import Pair
from harness.gating.run_results import Part
from harness.metrics.base import Metric
from harness.metrics.correctness import right
from harness.metrics.resampling import Resampler, samples
from harness.stats.bootstrap import RESAMPLES
from harness.stats.significance import (
    Drop,
    Measure,
    approximate_randomization,
    drop_of,
    drop_of_shares,
    mcnemar_mid_p,
    of_parts,
)

if TYPE_CHECKING:
    import numpy as np

TAIL = 0.025
SEVERAL_SEEDS = "t over seeds with the examples' variance"
ONE_CANDIDATE = "t with the spread of the base's seeds and the examples' variance"


@dataclass(frozen=True)
class Estimated:
    """A pair before corrections for how many there are; all in fractions of the scale."""

    pair: Pair
    drop: Drop | None
    low: float
    high: float
    p: float
    test: str
    per_seed: tuple[float, ...]
    identical: bool
    is_averageable: bool


def counted(part: Part) -> list[Metric]:
    """The metrics a task's score is the mean of, as in a leaderboard."""
    primary = [metrics.get(name) for name in part.headline if name in part.metrics]
    return [metric for metric in primary if metric.greater_is_better] or primary


def weight_of(metric: Metric, base_score: float) -> float:
    """From a metric's units to fractions of its scale: of the base's score where it has no upper bound. Negative where
    lower is better.
    """
    scale = metric.high if metric.high is not None else abs(base_score)
    return (1 if metric.greater_is_better else -1) / (scale or 1.0)


def estimate(pair: Pair) -> Estimated:
    """The drop of a pair, its interval and p. With one seed the p is McNemar's for fractions of right answers, else by
    approximate randomization; with several it is that of examples and seeds together, as it is where one seed of the
    candidate stands beside several of the base.
    """
    import numpy as np

    chosen = {part.split: counted(part) for part in pair.parts}
    names = {metric.name for chosen_metrics in chosen.values() for metric in chosen_metrics}
    is_averageable = all(metric.greater_is_better for chosen_metrics in chosen.values() for metric in chosen_metrics)
    if not pair.seeds:
        return Estimated(pair, None, 0.0, 0.0, 1.0, "none", (), False, is_averageable)
    identical = not pair.failed and all(
        base.prediction_hash == candidate.prediction_hash for side in pair.sides.values() for base, candidate in side
    )
    several = ONE_CANDIDATE if pair.one_candidate else SEVERAL_SEEDS
    only = next(iter(chosen.values()))[0]
    counts = len(names) == 1 and only.counts_successes
    if counts:
        lost = [_lost(only, part, pair) for part in pair.parts]
        drop = drop_of_shares(lost, pair.one_candidate)
        half = 0.0 if identical else drop.half_width(TAIL)
        low, high = max(-1.0, drop.value - half), min(1.0, drop.value + half)
        if len(pair.seeds) == 1:
            worse = sum(int((split[0] > 0).sum()) for split in lost)
            better = sum(int((split[0] < 0).sum()) for split in lost)
            p, test = mcnemar_mid_p(worse, better), "McNemar mid-p"
        else:
            p, test = drop.p_worse(), several
        return Estimated(pair, drop, low, high, p, test, _per_seed(lost), identical, is_averageable)
    measures = [_measures(part, pair, chosen[part.split]) for part in pair.parts]
    per_seed = tuple(round(sum(drop_of(split[at]) for split in measures), 12) for at in range(len(pair.seeds)))
    drawn = np.sum([_bootstrapped(split) for split in measures], axis=0)
    drawn = drawn[np.isfinite(drawn)]
    if 2 * len(drawn) < RESAMPLES:
        raise HarnessError(f"task {pair.task}: no finite score on most bootstrap samples; it cannot be compared")
    drop = of_parts(per_seed, float(drawn.var(ddof=1)), pair.one_candidate)
    bounds = np.quantile(drawn, [TAIL, 1 - TAIL])
    below, above = max(0.0, drop.value - float(bounds[0])), max(0.0, float(bounds[1]) - drop.value)
    seeds = Drop(drop.value, 0.0, drop.of_seeds, drop.degrees).half_width(TAIL)
    low, high = drop.value - float(np.hypot(below, seeds)), drop.value + float(np.hypot(above, seeds))
    if identical:
        p, test = 0.5, "none needed"
    elif len(per_seed) > 1:
        p, test = drop.p_worse(), several
    elif any(measure.metric.approximation for split in measures for measure in split[0]):
        p, test = drop.p_worse(), "bootstrap"
    else:
        p, count, without_drop = approximate_randomization([split[0] for split in measures])
        drop = replace(drop, without_drop=without_drop)
        test = f"approximate randomization ({count:,})"
    return Estimated(pair, drop, low, high, p, test, per_seed, identical, is_averageable)


def _lost(metric: Metric, part: Part, pair: Pair) -> list[np.ndarray]:
    """What each example of a split loses, (n,) a seed: 1 where only the base is right, -1 where only the candidate."""

    return [
        right(metric, base.predictions, part.references) - right(metric, candidate.predictions, part.references)
        for base, candidate in pair.sides[part.split]
    ]


def _per_seed(lost: Sequence[Sequence[np.ndarray]]) -> tuple[float, ...]:
    return tuple(fmean(float(split[at].mean()) for split in lost) for at in range(len(lost[0])))


def _measures(part: Part, pair: Pair, metrics_of_part: Sequence[Metric]) -> list[list[Measure]]:
    """For each seed a measure a metric; the weights make a task's drop the mean over its splits and metrics."""
    terms = len(metrics_of_part) * len(pair.parts)
    measures = []
    for base, candidate in pair.sides[part.split]:
        measures.append(
            [
                Measure(
                    metric,
                    base.predictions,
                    candidate.predictions,
                    part.references,
                    weight_of(metric, base.scores[metric.name]["value"]) / terms,
                )
                for metric in metrics_of_part
            ]
        )
    return measures


def _bootstrapped(seeds: Sequence[Sequence[Measure]], resamples: int = RESAMPLES) -> np.ndarray:
    """Drops (resamples,) of a split on samples of its examples, the mean over seeds: the paired bootstrap (Efron &
    Tibshirani 1993, chapter 8). The same samples for every metric, seed and side.
    """
    import numpy as np

    scorers: list[tuple[float, Callable[[np.ndarray], np.ndarray]]] = []
    total = np.zeros(resamples)
    for measures in seeds:
        for measure in measures:
            for sign, predictions in ((1, measure.base), (-1, measure.candidate)):
                weight = sign * measure.weight / len(seeds)
                checked, true = measure.metric.check(predictions, measure.references)
                if measure.metric.resample is None or isinstance(measure.metric.resample, Resampler):
                    scorers.append((weight, _scorer(measure.metric, checked, true)))
                else:
                    random = np.random.Generator(np.random.PCG64(0))
                    total += weight * measure.metric.resample(checked, true, random, resamples)
    if scorers:
        random = np.random.Generator(np.random.PCG64(0))
        n = len(seeds[0][0].references)
        drawn = [sum(weight * scored(sample) for weight, scored in scorers) for sample in samples(n, random, resamples)]
        total += np.concatenate(drawn)
    return total


def _scorer(metric: Metric, checked: np.ndarray, true: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """From samples (b, n) to scores (b,)."""
    import numpy as np

    if isinstance(metric.resample, Resampler):
        return metric.resample.prepare(checked, true)

    def loop(weights: np.ndarray) -> np.ndarray:
        rows = (np.repeat(np.arange(len(true)), row.astype(int)) for row in weights)
        return np.asarray([metric.compute(checked[row], true[row]) for row in rows])

    return loop


def averaged(estimates: Sequence[Estimated]) -> Estimated:
    """Tasks are independent in their examples. Seeds are paired over tasks where all have the same number."""
    drops = [estimated.drop for estimated in estimates if estimated.drop is not None]
    of_examples = sum(drop.of_examples for drop in drops) / len(drops) ** 2
    alike = {(len(estimated.per_seed), estimated.pair.one_candidate) for estimated in estimates}
    one_candidate = any(estimated.pair.one_candidate for estimated in estimates)
    if len(alike) == 1:
        per_seed = [fmean(values) for values in zip(*(estimated.per_seed for estimated in estimates), strict=True)]
        drop = of_parts(per_seed, of_examples, one_candidate)
    else:
        of_seeds = sum(drop.of_seeds for drop in drops) / len(drops) ** 2
        degrees = [drop.degrees for drop in drops if drop.degrees]
        drop = Drop(fmean(drop_of_task.value for drop_of_task in drops), of_examples, of_seeds, min(degrees, default=0))
    test = "z" if not drop.degrees else ONE_CANDIDATE if one_candidate else SEVERAL_SEEDS
    identical = all(estimated.identical for estimated in estimates)
    half = 0.0 if identical else drop.half_width(TAIL)
    return Estimated(
        estimates[0].pair, drop, drop.value - half, drop.value + half, drop.p_worse(), test, (), identical, True
    )
