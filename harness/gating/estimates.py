"""How much worse a candidate is: the drop of a pair, its interval and its p, before any verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness import metrics
from harness.core.errors import HarnessError
from harness.gating.pairing import Pair
from harness.gating.run_results import Part
from harness.metrics.base import Metric
from harness.stats.paired import TAIL, PairedDrop, mean_drop, paired_test
from harness.stats.significance import Drop, Measure


@dataclass(frozen=True)
class Estimated:
    """A pair before corrections for how many there are; all in fractions of the scale."""

    pair: Pair
    drop: Drop | None
    low: float
    high: float
    p: float
    test: str
    identical: bool
    is_averageable: bool
    paired: PairedDrop | None = None


def counted(part: Part) -> list[Metric]:
    """The metrics a task's score is the mean of, as in a leaderboard."""
    primary = [metrics.get(name) for name in part.primary_metrics if name in part.metrics]
    return [metric for metric in primary if metric.greater_is_better] or primary


def weight_of(metric: Metric, base_score: float) -> float:
    """From a metric's units to fractions of its scale: of the base's score where it has no upper bound. Negative where
    lower is better.
    """
    scale = metric.high if metric.high is not None else abs(base_score)
    return (1 if metric.greater_is_better else -1) / (scale or 1.0)


def estimate(pair: Pair) -> Estimated:
    """The drop of a pair, its interval and p, by `harness.stats.paired`."""
    chosen = {part.split: counted(part) for part in pair.parts}
    is_averageable = all(metric.greater_is_better for chosen_metrics in chosen.values() for metric in chosen_metrics)
    if not pair.seeds:
        return Estimated(pair, None, 0.0, 0.0, 1.0, "none", False, is_averageable)
    try:
        tested = paired_test([_measures(part, pair, chosen[part.split]) for part in pair.parts], pair.one_candidate)
    except HarnessError as error:
        raise HarnessError(f"task {pair.task} cannot be compared: {error}") from None
    paired = tested.paired
    identical = paired.identical and not pair.failed
    return Estimated(
        pair, tested.drop, paired.low, paired.high, tested.p, tested.test, identical, is_averageable, paired
    )


def _measures(part: Part, pair: Pair, metrics_of_part: Sequence[Metric]) -> list[list[Measure]]:
    """For each seed a measure a metric; the weights make a task's drop the mean over its splits and metrics."""
    terms = len(metrics_of_part) * len(pair.parts)
    measures = []
    for base, candidate in pair.scored[part.split]:
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


def averaged(estimates: Sequence[Estimated]) -> Estimated:
    """The average of several tasks."""
    drop, test = mean_drop([estimated.paired for estimated in estimates if estimated.paired is not None])
    identical = all(estimated.identical for estimated in estimates)
    half = 0.0 if identical else drop.half_width(TAIL)
    return Estimated(
        estimates[0].pair, drop, drop.value - half, drop.value + half, drop.p_worse(), test, identical, True
    )
