"""Differences between predictions of the same examples, with intervals: one estimate for whatever compares models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.grouped import groups_of
from harness.metrics.base import Metric
from harness.metrics.correctness import right
from harness.metrics.resampling import Resampler
from harness.stats.aggregate import Estimate, stdev
from harness.stats.bootstrap import RESAMPLES, samples_of, scorer_of
from harness.stats.significance import (
    Drop,
    Measure,
    adjusted_variance,
    approximate_randomization,
    drop_of,
    drop_of_fractions,
    mcnemar_mid_p,
    of_parts,
)

if TYPE_CHECKING:
    import numpy as np

DIGITS = 12
"""Changes are rounded to so many: a sum of equal terms in another order is no change."""
TAIL = 0.025


@dataclass(frozen=True)
class Pair:
    """What models of S seeds say of the same n examples before a change and after it: S arrays (n,) each, and the
    references (n,).
    """

    before: Sequence[np.ndarray]
    after: Sequence[np.ndarray]
    references: np.ndarray


@dataclass(frozen=True)
class PairedDrop:
    """A drop with its 95 % interval, and the drops of the seeds. `flips` is how many examples of the first seed only
    the base and only the candidate has right, where that is what the score counts; `identical`: no prediction differs.
    """

    drop: Drop
    low: float
    high: float
    per_seed: tuple[float, ...]
    flips: tuple[int, int] | None
    identical: bool
    one_candidate: bool = False


def paired_drop(
    splits: Sequence[Sequence[Sequence[Measure]]], one_candidate: bool = False, resamples: int = RESAMPLES
) -> PairedDrop:
    """How much a candidate loses: Σ weight · (base − candidate), the mean over seeds.

    The same examples are scored of both and by all seeds: what makes an example hard for all cancels. Where one metric
    counts right answers, their variance is that of the adjusted Wald interval (`drop_of_fractions`); else samples of
    the examples are scored, and the interval of the examples is the percentile interval of these drops (Efron &
    Tibshirani 1993, chapter 8; Koehn 2004). Splits are resampled apart. With several seeds their spread (t · sd of the
    seeds' drops / √S) is added in quadrature, as in `harness.stats.aggregate`. Where every sample loses the same, as by
    two perfect scores, fractions get the adjusted Wald interval as well. Equal predictions have no interval.

    Args:
        splits: For each split and seed the measures by which its drop is scored.
        one_candidate: As in `of_parts`.
        resamples: How many samples are drawn.

    Returns:
        The drop.

    Raises:
        HarnessError: a score that is undefined on most samples.
    """
    identical = all(_is_same(measure) for split in splits for measures in split for measure in measures)
    only = splits[0][0][0].metric
    names = {measure.metric.name for split in splits for measures in split for measure in measures}
    if len(names) == 1 and only.counts_successes:
        return _of_right_answers(splits, one_candidate, identical)
    return _of_samples(splits, one_candidate, identical, resamples)


SEVERAL_SEEDS = "t over seeds with the examples' variance"
ONE_CANDIDATE = "t with the spread of the base's seeds and the examples' variance"


@dataclass(frozen=True)
class TestedDrop:
    """A drop, the one-sided p of its being none, before any correction, and the name of the test."""

    paired: PairedDrop
    drop: Drop
    p: float
    test: str


def paired_test(splits: Sequence[Sequence[Sequence[Measure]]], one_candidate: bool = False) -> TestedDrop:
    """`paired_drop` with its p. With one seed that is McNemar's for fractions of right answers, else by approximate
    randomization; with several it is that of examples and seeds together, as it is where one seed of the candidate
    stands beside several of the base. Raises HarnessError as `paired_drop` does.
    """
    paired = paired_drop(splits, one_candidate)
    drop = paired.drop
    if paired.flips is not None and len(paired.per_seed) == 1:
        return TestedDrop(paired, drop, mcnemar_mid_p(*paired.flips), "McNemar mid-p")
    if paired.flips is None and paired.identical:
        return TestedDrop(paired, drop, 0.5, "none needed")
    if len(paired.per_seed) > 1:
        return TestedDrop(paired, drop, drop.p_worse(), ONE_CANDIDATE if one_candidate else SEVERAL_SEEDS)
    if any(measure.metric.approximation for split in splits for measure in split[0]):
        return TestedDrop(paired, drop, drop.p_worse(), "bootstrap")
    p, count, without_drop = approximate_randomization([split[0] for split in splits])
    drop = replace(drop, without_drop=without_drop)
    return TestedDrop(paired, drop, p, f"approximate randomization ({count:,})")


def mean_drop(tasks: Sequence[PairedDrop]) -> tuple[Drop, str]:
    """The drop of the average of tasks, and the name of its test, which is `Drop.p_worse`. Tasks are independent in
    their examples. Seeds are paired over tasks where all have the same number.
    """
    drops = [task.drop for task in tasks]
    of_examples = sum(drop.of_examples for drop in drops) / len(drops) ** 2
    one_candidate = any(task.one_candidate for task in tasks)
    if len({(len(task.per_seed), task.one_candidate) for task in tasks}) == 1:
        per_seed = [fmean(values) for values in zip(*(task.per_seed for task in tasks), strict=True)]
        drop = of_parts(per_seed, of_examples, one_candidate)
    else:
        of_seeds = sum(drop.of_seeds for drop in drops) / len(drops) ** 2
        degrees = [drop.degrees for drop in drops if drop.degrees]
        drop = Drop(fmean(of_task.value for of_task in drops), of_examples, of_seeds, min(degrees, default=0))
    return drop, "z" if not drop.degrees else ONE_CANDIDATE if one_candidate else SEVERAL_SEEDS


def change(pairs: Sequence[Pair], metrics: Sequence[Metric], resamples: int = RESAMPLES) -> Estimate:
    """How much the mean score over pairs (splits of a task) and metrics changes, by `paired_drop`; a drop is negative.

    Raises:
        HarnessError: as `paired_drop` does.
    """
    weight = 1 / (len(pairs) * len(metrics))
    splits = [
        [
            [Measure(metric, before, after, pair.references, weight) for metric in metrics]
            for before, after in zip(pair.before, pair.after, strict=True)
        ]
        for pair in pairs
    ]
    paired = paired_drop(splits, resamples=resamples)
    per_seed = tuple(0.0 - drop for drop in paired.per_seed)
    sd = stdev(per_seed) if len(per_seed) > 1 else None
    return Estimate(0.0 - paired.drop.value, 0.0 - paired.high, 0.0 - paired.low, per_seed, sd)


def _is_same(measure: Measure) -> bool:
    return bool((measure.base == measure.candidate).all())


def _of_right_answers(
    splits: Sequence[Sequence[Sequence[Measure]]], one_candidate: bool, identical: bool
) -> PairedDrop:
    lost = [[_lost(measure) for (measure,) in split] for split in splits]
    drop = drop_of_fractions(lost, one_candidate)
    half = 0.0 if identical else drop.half_width(TAIL)
    worse = sum(int((split[0] > 0).sum()) for split in lost)
    better = sum(int((split[0] < 0).sum()) for split in lost)
    per_seed = tuple(fmean(float(split[at].mean()) for split in lost) for at in range(len(lost[0])))
    bounds = max(-1.0, drop.value - half), min(1.0, drop.value + half)
    return PairedDrop(drop, *bounds, per_seed, (worse, better), identical, one_candidate)


def _lost(measure: Measure) -> np.ndarray:
    """What each example loses (n,): 1 where only the base is right, -1 where only the candidate."""
    metric, references = measure.metric, measure.references
    return right(metric, measure.base, references) - right(metric, measure.candidate, references)


def _of_samples(
    splits: Sequence[Sequence[Sequence[Measure]]], one_candidate: bool, identical: bool, resamples: int
) -> PairedDrop:
    import numpy as np

    per_seed = tuple(round(sum(drop_of(split[at]) for split in splits), DIGITS) for at in range(len(splits[0])))
    drawn = np.sum([_bootstrapped(split, resamples) for split in splits], axis=0).round(DIGITS)
    defined = drawn[np.isfinite(drawn)]
    if 2 * len(defined) < resamples:
        names = ", ".join(dict.fromkeys(measure.metric.name for split in splits for measure in split[0]))
        raise HarnessError(f"{names}: no finite score on {resamples - len(defined)} of {resamples} bootstrap samples")
    variance = float(defined.var(ddof=1))
    if not identical and defined.min() == defined.max() and (known := _of_constant_drops(splits)) is not None:
        drop = of_parts(per_seed, known, one_candidate)
        half = drop.half_width(TAIL)
        return PairedDrop(drop, drop.value - half, drop.value + half, per_seed, None, identical, one_candidate)
    drop = of_parts(per_seed, variance, one_candidate)
    bounds = np.quantile(defined, [TAIL, 1 - TAIL])
    below, above = max(0.0, drop.value - float(bounds[0])), max(0.0, float(bounds[1]) - drop.value)
    seeds = Drop(drop.value, 0.0, drop.of_seeds, drop.degrees).half_width(TAIL)
    low, high = drop.value - float(np.hypot(below, seeds)), drop.value + float(np.hypot(above, seeds))
    return PairedDrop(drop, low, high, per_seed, None, identical, one_candidate)


def _of_constant_drops(splits: Sequence[Sequence[Sequence[Measure]]]) -> float | None:
    """The variance that examples give a drop which is the same on all their samples; None where a score is no fraction.
    What measures of a split lose they lose on the same examples: standard deviations add.
    """
    import numpy as np

    total = 0.0
    for seeds in splits:
        sd = 0.0
        for measure in seeds[0]:
            checked, true = measure.metric.check(measure.base, measure.references)
            drawn = measure.metric.drawn(checked, true)
            if not drawn:
                return None
            lost = drop_of([replace(measure, weight=1.0)])
            sd += abs(measure.weight) * adjusted_variance(np.full(drawn, lost)) ** 0.5
        total += sd**2
    return total


def _bootstrapped(seeds: Sequence[Sequence[Measure]], resamples: int) -> np.ndarray:
    """Drops (resamples,) of a split on samples of its examples, the mean over seeds: the same samples for every metric,
    seed and side. Of examples in groups whole groups are drawn.
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
                    scorers.append((weight, scorer_of(measure.metric, checked, true)))
                else:
                    random = np.random.Generator(np.random.PCG64(0))
                    total += weight * measure.metric.resample(checked, true, random, resamples)
    if scorers:
        random = np.random.Generator(np.random.PCG64(0))
        references = seeds[0][0].references
        groups = groups_of(references)
        n = len(references) if groups is None else int(groups.max()) + 1
        drawn = [
            sum(weight * scored(sample) for weight, scored in scorers)
            for sample in samples_of(groups, n, random, resamples)
        ]
        total += np.concatenate(drawn)
    return total
