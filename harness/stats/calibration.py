"""Calibration: does a classifier that is 80 % sure turn out right 80 % of the time, and would one number mend it?

Probabilities are the softmax of a model's logits over a temperature. The temperature is fitted on other examples than
it is judged on: the examples are cut in two halves, and each half gets the temperature of the other.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.metrics.resampling import chunks, samples
from harness.stats.bootstrap import LEVEL, RESAMPLES

if TYPE_CHECKING:
    import numpy as np

BINS = 15
TEMPERATURES = (0.01, 100.0)
"""The range a temperature is sought in. Logits that are always right want none, those that say nothing an infinite one:
such fits end at its ends.
"""


@dataclass(frozen=True)
class Measured:
    """A value with its interval; `if_calibrated` is what the same confidences would show on so many examples if they
    were right as often as they say, where that is not 0 of itself.
    """

    value: float
    low: float
    high: float
    if_calibrated: float | None = None


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error, Brier score and negative log-likelihood (nats) of probabilities; less is better."""

    ece: Measured
    brier: Measured
    nll: Measured


@dataclass(frozen=True)
class Report:
    """Of n examples: the accuracy, which no temperature changes; calibration before and after; the temperatures that
    the first and the second half were scaled by.
    """

    n: int
    accuracy: float
    before: Calibration
    after: Calibration
    temperatures: tuple[float, float]


def report(logits: np.ndarray, labels: np.ndarray, ids: Sequence[str], seed: int = 0) -> Report:
    """The calibration of logits (n, k) of examples with class ids `labels` (n,), n at least 2.

    Each half of the examples is scaled by the temperature fitted to the other (two-fold cross-fitting); intervals hold
    the temperatures as they are.
    """
    import numpy as np

    first = halves(ids)
    temperatures = (fit_temperature(logits[~first], labels[~first]), fit_temperature(logits[first], labels[first]))
    scaled = logits / np.where(first, *temperatures)[:, None]
    return Report(
        n=len(labels),
        accuracy=float((logits.argmax(axis=1) == labels).mean()),
        before=measure(logits, labels, seed),
        after=measure(scaled, labels, seed),
        temperatures=temperatures,
    )


def halves(ids: Sequence[str]) -> np.ndarray:
    """Which examples (n,) are in the first half: those whose ids have the lower hashes."""
    import numpy as np

    hashed = [hashlib.blake2b(f"calibration:{name}".encode(), digest_size=8).digest() for name in ids]
    first = np.zeros(len(ids), dtype=bool)
    first[sorted(range(len(ids)), key=hashed.__getitem__)[: len(ids) // 2]] = True
    return first


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature at which logits (n, k) have the least negative log-likelihood (Guo et al. 2017, section 4.2).

    The likelihood has one optimum, since its logarithm is concave in 1/T; it is sought in log T (Brent's method).
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    def loss(log_temperature: float) -> float:
        return float(-_of_labels(log_probabilities(logits / np.exp(log_temperature)), labels).mean())

    low, high = np.log(TEMPERATURES)
    minimum = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return float(np.exp(minimum.x))


def measure(
    logits: np.ndarray, labels: np.ndarray, seed: int = 0, level: float = LEVEL, resamples: int = RESAMPLES
) -> Calibration:
    """Calibration of logits (n, k), with intervals by the bootstrap over examples.

    The expected calibration error is the mean gap between the confidence in the likeliest class and its fraction of
    right answers, over 15 bins of equal width, weighted by their examples (Naeini et al. 2015; Guo et al. 2017,
    section 2). The Brier score is the squared distance of the probabilities from the truth, 0 to 2 (Brier 1950).

    The expected calibration error is biased upward: in each bin chance alone parts confidence from accuracy, the more
    the fewer examples there are. A bootstrap sample has that bias twice, so that its quantiles are shifted by how far
    the samples' mean is from the value. What bias is left in the value itself is what `if_calibrated` tells: the mean
    error with outcomes drawn by the confidences (the consistency resampling of Bröcker & Smith 2007).
    """
    import numpy as np

    logs = log_probabilities(logits)
    probabilities = np.exp(logs)
    confidences = probabilities.max(axis=1)
    is_in, gaps = _gaps(logits, labels, confidences)
    squares = ((probabilities - np.eye(logits.shape[1])[labels]) ** 2).sum(axis=1)
    losses = -_of_labels(logs, labels)
    n = len(labels)

    random = np.random.Generator(np.random.PCG64(seed))
    drawn = np.concatenate(
        [
            np.stack([np.abs(w @ gaps).sum(axis=1), w @ squares, w @ losses], axis=1) / n
            for w in samples(n, random, resamples)
        ]
    )
    values = np.array([np.abs(gaps.sum(axis=0)).sum(), squares.sum(), losses.sum()]) / n
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=0)
    bias = np.array([drawn[:, 0].mean() - values[0], 0.0, 0.0])
    low, high = np.minimum(np.maximum(low - bias, 0), values), np.maximum(high - bias, values)
    by_chance = np.concatenate(
        [
            np.abs(((random.random((rows, n)) < confidences) - confidences) @ is_in).sum(axis=1) / n
            for rows in chunks(resamples, n)
        ]
    ).mean()
    ece, brier, nll = (Measured(float(v), float(a), float(b)) for v, a, b in zip(values, low, high, strict=True))
    return Calibration(Measured(ece.value, ece.low, ece.high, float(by_chance)), brier, nll)


def ece(logits: np.ndarray, labels: np.ndarray) -> float:
    """The expected calibration error of logits (n, k), 0…1, as `measure` has it."""
    import numpy as np

    gaps = _gaps(logits, labels, np.exp(log_probabilities(logits)).max(axis=1))[1]
    return float(np.abs(gaps.sum(axis=0)).sum() / len(labels))


def ece_change(
    before: np.ndarray,
    after: np.ndarray,
    labels: np.ndarray,
    seed: int = 0,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
) -> Measured:
    """How much the expected calibration error changes between two models' logits (n, k) of the same examples, with an
    interval by the paired bootstrap: both are seen on the same samples.

    Chance adds its part to both sides; what is left of it in the samples' mean difference shifts the interval, as in
    `measure`.
    """
    import numpy as np

    gaps_of_both = [
        _gaps(logits, labels, np.exp(log_probabilities(logits)).max(axis=1))[1] for logits in (before, after)
    ]
    n = len(labels)
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = np.concatenate(
        [
            np.subtract(*(np.abs(weights @ gaps).sum(axis=1) for gaps in reversed(gaps_of_both))) / n
            for weights in samples(n, random, resamples)
        ]
    )
    value = float(np.subtract(*(np.abs(gaps.sum(axis=0)).sum() for gaps in reversed(gaps_of_both))) / n)
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2]) - (drawn.mean() - value)
    return Measured(value, min(float(low), value), max(float(high), value))


def _gaps(logits: np.ndarray, labels: np.ndarray, confidences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which bin each example is in, and there its hit less its confidence: both (n, bins)."""
    import numpy as np

    hits = (logits.argmax(axis=1) == labels).astype(np.float64)
    is_in = np.eye(BINS)[bins(confidences)]
    return is_in, is_in * (hits - confidences)[:, None]


def bins(confidences: np.ndarray) -> np.ndarray:
    """The bin (n,) of each confidence: bin m of M holds those above (m - 1)/M, up to m/M."""
    import numpy as np

    return np.clip(np.ceil(confidences * BINS).astype(int) - 1, 0, BINS - 1)


def log_probabilities(logits: np.ndarray) -> np.ndarray:
    """The log-softmax of logits (n, k)."""
    from scipy.special import log_softmax

    return log_softmax(logits.astype("float64"), axis=1)


def _of_labels(logs: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Each example's log-probability of its label."""
    return logs[range(len(labels)), labels]
