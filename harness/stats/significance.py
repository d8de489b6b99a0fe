"""Is a candidate worse than its base? One-sided tests on paired examples, over seeds, with corrections and power.

A drop d is what the candidate loses: d > 0 is worse. Tests are of d ≤ 0 against d > 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from harness.core.grouped import groups_of, twice
from harness.metrics.base import Metric
from harness.metrics.resampling import CHUNK_VALUES, Resampler

if TYPE_CHECKING:
    import numpy as np

RANDOMIZATIONS = 10_000
LOOPED_RANDOMIZATIONS = 1_000
"""Of metrics that must be computed anew for each: less, since each costs a whole scoring."""
POWER = 0.8
LEAST_P = 1e-12
ROUNDING = 1e-12


def mcnemar_mid_p(worse: int, better: int) -> float:
    """The one-sided mid-p of McNemar's test (Fagerland, Lydersen & Laake 2013, BMC Medical Research Methodology 13:91).

    `worse` examples only the base has right, `better` only the candidate. Without a difference each of these n is
    either with probability 1/2: P(X > worse) + P(X = worse) / 2 for X ~ Bin(n, 1/2).
    """
    from scipy.stats import binom

    n = worse + better
    return float(binom.sf(worse, n, 0.5) + binom.pmf(worse, n, 0.5) / 2)


@dataclass(frozen=True)
class Measure:
    """What a pair is scored by on one split: predictions of base and candidate (n,), the references, and how much of
    the drop one unit of the metric is: negative where lower is better.
    """

    metric: Metric
    base: np.ndarray
    candidate: np.ndarray
    references: np.ndarray
    weight: float


def drop_of(measures: Sequence[Measure]) -> float:
    """Σ weight · (score of the base − score of the candidate)."""
    return sum(
        measure.weight
        * (
            measure.metric.score(measure.base, measure.references)
            - measure.metric.score(measure.candidate, measure.references)
        )
        for measure in measures
    )


def approximate_randomization(
    splits: Sequence[Sequence[Measure]], seed: int = 0, randomizations: int = RANDOMIZATIONS
) -> tuple[float, int, float]:
    """The p of a drop by approximate randomization (Noreen 1989; Yeh 2000), how many randomizations it rests on, and
    the variance of their drops.

    Without a difference the two outputs of an example may be exchanged. Exchanging each with probability 1/2 gives the
    distribution of the drop; p = (1 + those at least as large) / (1 + all) (Phipson & Smyth 2010). `splits` are scored
    and exchanged apart, all measures of a split together. A metric with weights is computed for many exchanges at once;
    where one has none that give its score, the number is at most `LOOPED_RANDOMIZATIONS`. Outputs of examples in groups
    are exchanged group by group.
    """
    import numpy as np

    scorers = [[_of_choices(measure) for measure in measures] for measures in splits]
    looped = any(scored is None for of_split in scorers for scored in of_split)
    count = min(randomizations, LOOPED_RANDOMIZATIONS) if looped else randomizations
    random = np.random.Generator(np.random.PCG64(seed))
    observed = sum(drop_of(measures) for measures in splits)
    drawn = np.zeros(count)
    for measures, of_split in zip(splits, scorers, strict=True):
        drawn += _exchanged(measures, of_split, random, count)
    extreme = int((drawn >= observed - ROUNDING * max(1.0, abs(observed))).sum())
    return (1 + extreme) / (1 + count), count, float(drawn.var())


OfChoices = Callable[["np.ndarray"], "np.ndarray"]
"""From choices (b, n) of the candidate's output, else the base's, to scores (b,)."""


def _exchanged(
    measures: Sequence[Measure], scorers: Sequence[OfChoices | None], random: np.random.Generator, count: int
) -> np.ndarray:
    """Drops (count,) of one split with outputs exchanged at random."""
    import numpy as np

    n = len(measures[0].references)
    groups = groups_of(measures[0].references)
    pairs = [(measure.weight, scored or _loop(measure)) for measure, scored in zip(measures, scorers, strict=True)]
    size = max(1, CHUNK_VALUES // (2 * n))
    drawn = []
    for start in range(0, count, size):
        swapped = random.integers(0, 2, (min(size, count - start), n)).astype(bool)
        swapped = swapped if groups is None else swapped[:, groups]
        drawn.append(np.sum([weight * (scored(swapped) - scored(~swapped)) for weight, scored in pairs], axis=0))
    return np.concatenate(drawn)


def _of_choices(measure: Measure) -> OfChoices | None:
    """The 2n outputs of both are one pool, of which a choice takes n: a sample, given to the metric as weights.

    A metric of sums takes each once; one that divides by the pool's size needs each twice. None where neither gives
    what the metric itself says of the base, of the candidate and of a mixture.
    """
    import numpy as np

    if not isinstance(measure.metric.resample, Resampler):
        return None
    base, true = measure.metric.check(measure.base, measure.references)
    candidate, _ = measure.metric.check(measure.candidate, measure.references)
    pooled = measure.metric.resample.prepare(np.concatenate([base, candidate]), twice(true))

    def scored(chosen: np.ndarray, times: float) -> np.ndarray:
        return pooled(times * np.concatenate([~chosen, chosen], axis=1))

    n = len(true)
    groups = groups_of(measure.references)
    units = np.arange(n) if groups is None else groups
    trial = np.stack([np.zeros(n, dtype=bool), np.ones(n, dtype=bool), units % 2 == 0])
    expected = _loop(measure)(trial)
    for times in (1.0, 2.0):
        if np.allclose(scored(trial, times), expected, rtol=1e-6, atol=1e-9):
            return partial(scored, times=times)
    return None


def _loop(measure: Measure) -> OfChoices:
    import numpy as np

    base, true = measure.metric.check(measure.base, measure.references)
    candidate, _ = measure.metric.check(measure.candidate, measure.references)
    return lambda chosen: np.asarray([measure.metric.compute(np.where(row, candidate, base), true) for row in chosen])


@dataclass(frozen=True)
class Drop:
    """An estimated drop, and its variance from the examples and from the seeds: of the mean of S seeds' drops, with
    S - 1 degrees of freedom; of one seed nothing is known of the latter. `without_drop` is the variance from the
    examples that a test supposes where there is no drop, if it is another.
    """

    value: float
    of_examples: float
    of_seeds: float = 0.0
    degrees: int = 0
    without_drop: float | None = None

    @property
    def sd(self) -> float:
        return math.sqrt(self.of_examples + self.of_seeds)

    def critical(self, alpha: float) -> float:
        """The drop from which on it is significant, by the normal approximation."""
        if self.without_drop is None:
            return self.half_width(alpha)
        return replace(self, of_examples=self.without_drop).half_width(alpha)

    def half_width(self, tail: float) -> float:
        """Of the interval that leaves out `tail` on one side.

        Examples (normal) and seeds (Student's t) are independent: their half-widths add in quadrature, as in
        `harness.stats.aggregate`.
        """
        from scipy.special import ndtri, stdtrit

        seeds = float(stdtrit(self.degrees, tail)) * math.sqrt(self.of_seeds) if self.degrees and self.of_seeds else 0.0
        return math.hypot(float(ndtri(tail)) * math.sqrt(self.of_examples), seeds)

    def p_worse(self) -> float:
        """The p of d ≤ 0: the tail whose interval just reaches 0."""
        from scipy.optimize import brentq

        size = abs(self.value)
        if size <= ROUNDING:
            return 0.5
        if self.half_width(LEAST_P) <= size:
            tail = LEAST_P
        else:
            log_p = brentq(lambda log: self.half_width(math.exp(log)) - size, math.log(LEAST_P), math.log(0.5))
            tail = math.exp(float(log_p))
        return tail if self.value > 0 else 1 - tail

    def detectable(self, alpha: float, margin: float, power: float = POWER) -> float:
        """The true drop that is called a regression with this power: significant at `alpha` and of at least `margin`,
        by the normal approximation.
        """
        from scipy.special import ndtri

        return max(self.critical(alpha), margin) + float(ndtri(power)) * self.sd

    def power(self, true_drop: float, alpha: float, margin: float) -> float:
        """The probability that a true drop is called a regression, by the same approximation."""
        from scipy.special import ndtr

        if self.sd == 0:
            return float(true_drop > 0 and true_drop >= margin)
        return float(ndtr((true_drop - max(self.critical(alpha), margin)) / self.sd))

    def with_seeds(self, seeds: int) -> Drop | None:
        """What it would be with so many seeds of the same spread; None where one seed tells no spread."""
        if not self.degrees or seeds < 2:
            return None
        return Drop(self.value, self.of_examples, self.of_seeds * (self.degrees + 1) / seeds, seeds - 1)


def drop_of_fractions(splits: Sequence[Sequence[np.ndarray]], one_candidate: bool = False) -> Drop:
    """The drop of a fraction of right answers, mean over splits: for each split and seed, what each example loses: 1
    where only the base is right, -1 where only the candidate is, else 0. `one_candidate` is as in `of_parts`.

    The variance has one such example of each kind more, as in the adjusted Wald interval of Bonett & Price (2012),
    which keeps its level with few discordant pairs.
    """
    import numpy as np

    variances, values = [], []
    for seeds in splits:
        per_seed = np.stack(seeds)
        variances.append(adjusted_variance(per_seed.mean(axis=0)))
        values.append(per_seed.mean(axis=1))
    return of_parts(np.mean(values, axis=0).tolist(), float(sum(variances)) / len(splits) ** 2, one_candidate)


def adjusted_variance(lost: np.ndarray) -> float:
    """Of the mean of what n examples lose (n,), between -1 and 1, with one more at either end."""
    n = len(lost)
    mean = lost.sum() / (n + 2)
    return float(((lost**2).sum() + 2 - (n + 2) * mean**2) / (n + 2) ** 2)


def of_parts(per_seed: Sequence[float], of_examples: float, one_candidate: bool = False) -> Drop:
    """A drop from those of the seeds and the variance that the examples give their mean.

    With `one_candidate` the same single candidate stands beside each of the base's S seeds, so that the drops vary as
    the base alone does, s². One more training of the base would differ from their mean with a variance of
    s² (1 + 1/S): the candidate is taken to vary as much, and judged as such a training, by the prediction interval of
    Student's t with S - 1 degrees of freedom (Hahn & Meeker 1991, chapter 4).
    """
    from statistics import fmean, variance

    count = len(per_seed)
    of_seeds = variance(per_seed) * (float(one_candidate) + 1 / count) if count > 1 else 0.0
    return Drop(fmean(per_seed), of_examples, of_seeds, count - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values that control the family-wise error (Holm 1979)."""
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
