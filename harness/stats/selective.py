"""Selective answers: what a classifier would get right if it answered only where it is confident, and whether its
confidence tells right answers from wrong ones.

The confidence is the largest softmax probability (Hendrycks & Gimpel 2017). Examples are ordered by its log-odds, the
same order without the ties of probabilities that round to 1. Examples of equal confidence stand in no order: every
number is its mean over all orders of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.resampling import chunks, samples
from harness.stats.bootstrap import LEVEL, RESAMPLES, wilson

if TYPE_CHECKING:
    import numpy as np

COVERAGES = (0.5, 0.8, 0.9)
"""The fractions of examples that are answered, most confident first, at which accuracy is reported."""
POINTS = 50
"""Coverages at which the curve is kept."""


@dataclass(frozen=True)
class Measured:
    """A value with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Selective:
    """Of n examples.

    Attributes:
        n: How many.
        accuracy: Of all of them.
        aurc: The area under the risk–coverage curve: the mean fraction of wrong answers among the k most confident
            ones, over k from 1 to n (Geifman & El-Yaniv 2017; Geifman et al. 2019).
        excess: How much of it an order with every right answer first would not have.
        auroc: The probability that a right answer has more confidence than a wrong one; None where all answers are
            right, or all wrong.
        accuracies: Of the most confident examples, a value for each of `COVERAGES`.
        curve: (coverage, risk), in order of coverage.
    """

    n: int
    accuracy: float
    aurc: Measured
    excess: Measured
    auroc: Measured | None
    accuracies: tuple[Measured, ...]
    curve: tuple[tuple[float, float], ...]


def log_odds(logits: np.ndarray) -> np.ndarray:
    """The log-odds (n,) of the likeliest class of logits (n, k), k at least 2."""
    import numpy as np
    from scipy.special import logsumexp

    ordered = np.sort(logits.astype(np.float64), axis=1)
    return ordered[:, -1] - logsumexp(ordered[:, :-1], axis=1)


def report(
    logits: np.ndarray, labels: np.ndarray, seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES
) -> Selective:
    """Selective answers from logits (n, k), k at least 2, of examples with class ids `labels` (n,), with intervals by
    the percentile bootstrap over examples. An accuracy of 0 or 1 on all samples gets Wilson's.
    """
    import numpy as np

    is_wrong = (logits.argmax(axis=1) != labels).astype(np.float64)
    order, starts = _groups(log_odds(logits))
    wrong, n = is_wrong[order], len(labels)
    k_of_coverage = [math.ceil(coverage * n - 1e-9) for coverage in COVERAGES]

    def values(weights: np.ndarray) -> np.ndarray:
        """AURC, its excess, AUROC, and accuracies (rows, 3 + coverages) of examples drawn so often, (rows, n)."""
        drawn = weights[:, order]
        of_group = np.add.reduceat(drawn, starts, axis=1)
        errors = np.add.reduceat(drawn * wrong, starts, axis=1)
        risks = np.stack([_errors_among(of_group, errors, k) / k for k in k_of_coverage], axis=1)
        area, least = _area(of_group, errors), _least_area(errors.sum(axis=1), n)
        return np.column_stack([area, area - least, _ranked(of_group - errors, errors), 1 - risks])

    point = values(np.ones((1, n)))[0]
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = np.concatenate([values(weights) for weights in samples(n, random, resamples)])
    aurc, excess, auroc, *measured = (
        _measured(value, column, level) for value, column in zip(point, drawn.T, strict=True)
    )
    accuracies = [_fraction(accuracy, k, level) for accuracy, k in zip(measured, k_of_coverage, strict=True)]
    groups = np.add.reduceat(np.ones(n), starts)[None], np.add.reduceat(wrong, starts)[None]
    counts = sorted({max(1, round(n * step / POINTS)) for step in range(1, POINTS + 1)})
    return Selective(
        n=n,
        accuracy=float(1 - is_wrong.mean()),
        aurc=aurc,
        excess=excess,
        auroc=None if math.isnan(auroc.value) else auroc,
        accuracies=tuple(accuracies),
        curve=tuple((k / n, float(_errors_among(*groups, k)[0] / k)) for k in counts),
    )


def detection(
    inside: np.ndarray, outside: np.ndarray, seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES
) -> Measured:
    """The probability that an example of the data trained on has more confidence than one of other data (Hendrycks &
    Gimpel 2017, section 3), with an interval by the bootstrap within each.

    Args:
        inside: Confidences (n,) of examples of the data trained on.
        outside: Confidences (m,) of others.
        seed: Of the samples.
        level: Of the interval.
        resamples: How many samples.

    Returns:
        The area under the ROC curve.
    """
    import numpy as np

    order, starts = _groups(np.concatenate([inside, outside]))
    n, m = len(inside), len(outside)

    def values(of_inside: np.ndarray, of_outside: np.ndarray) -> np.ndarray:
        both = [np.hstack([of_inside, 0 * of_outside]), np.hstack([0 * of_inside, of_outside])]
        return _ranked(*(np.add.reduceat(weights[:, order], starts, axis=1) for weights in both))

    random = np.random.Generator(np.random.PCG64(seed))
    drawn = [
        values(*(random.multinomial(size, np.full(size, 1 / size), rows).astype(float) for size in (n, m)))
        for rows in chunks(resamples, n + m)
    ]
    return _measured(float(values(np.ones((1, n)), np.ones((1, m)))[0]), np.concatenate(drawn), level)


def _groups(confidences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order (n,) of examples from the most confident on, and where in it each group of equal ones starts."""
    import numpy as np

    order = np.argsort(-confidences, kind="stable")
    ordered = confidences[order]
    return order, np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])


def _before(of_group: np.ndarray) -> np.ndarray:
    return of_group.cumsum(axis=1) - of_group


def _area(of_group: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """AURC (rows,). In a group of m with e errors after W examples with E errors the j-th has the mean risk
    (E + j·e/m) / (W + j); their sum is e + (E − W·e/m)·(H(W + m) − H(W)), H the harmonic numbers.
    """
    import numpy as np

    n = round(float(of_group[0].sum()))
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])
    start, errors_before = _before(of_group), _before(errors)
    rate = np.divide(errors, of_group, out=np.zeros_like(errors), where=of_group > 0)
    first, last = np.rint(start).astype(int), np.rint(start + of_group).astype(int)
    return (errors + (errors_before - start * rate) * (harmonic[last] - harmonic[first])).sum(axis=1) / n


def _least_area(errors: np.ndarray, n: int) -> np.ndarray:
    """AURC (rows,) of n answers, so many of them wrong, with every right one first."""
    import numpy as np

    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])
    right = n - np.rint(errors).astype(int)
    return (errors - right * (harmonic[n] - harmonic[right])) / n


def _errors_among(of_group: np.ndarray, errors: np.ndarray, k: int) -> np.ndarray:
    """Errors (rows,) among the k most confident examples."""
    import numpy as np

    left = np.clip(k - _before(of_group), 0, of_group)
    return (errors * np.divide(left, of_group, out=np.zeros_like(errors), where=of_group > 0)).sum(axis=1)


def _ranked(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """How often a positive example stands before a negative one, ties count half: (rows,), NaN where one is missing.
    Groups come in order of their confidence.
    """
    import numpy as np

    after = negative.sum(axis=1, keepdims=True) - negative.cumsum(axis=1)
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    ahead = (positive * (after + negative / 2)).sum(axis=1)
    return np.divide(ahead, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)


def _measured(value: float, drawn: np.ndarray, level: float) -> Measured:
    """With the percentiles of the samples on which it is defined; where that is less than half, of its whole scale."""
    import numpy as np

    defined = drawn[np.isfinite(drawn)]
    if 2 * len(defined) < len(drawn):
        return Measured(float(value), 0.0, 1.0)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Measured(float(value), min(float(low), float(value)), max(float(high), float(value)))


def _fraction(measured: Measured, k: int, level: float) -> Measured:
    """A fraction of k examples; Wilson's interval where no sample differs."""
    if measured.low < measured.high or measured.value not in (0.0, 1.0):
        return measured
    return Measured(measured.value, *wilson(round(measured.value * k), k, level))
