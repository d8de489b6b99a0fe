"""Bootstrap samples of a metric, many at once (Efron & Tibshirani 1993, chapter 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CHUNK_VALUES = 2_000_000
"""Drawn counts held at once: 16 MB, and some 100 MB with what is made of them."""


def by_counts(score: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Resampling for metrics of class ids that need no more than three counts for each class.

    `score` maps how many examples are right, are truly of the class, and are predicted to be, (b, k) each, to scores
    (b,); columns 0 and 1 are the classes 0 and 1. Drawing n examples with replacement draws the cells of the confusion
    table from a multinomial: the same distribution, without touching examples.
    """

    def resample(predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int) -> np.ndarray:
        import numpy as np

        n = len(references)
        classes = np.unique(np.concatenate([[0, 1], predictions, references]))
        k = len(classes)
        table = np.searchsorted(classes, references) * k + np.searchsorted(classes, predictions)
        cells, counts = np.unique(table, return_counts=True)
        places = list(zip(*(part.tolist() for part in divmod(cells, k)), strict=True))
        scores = []
        for rows in _chunks(b, max(len(cells), 3 * k)):
            draws = random.multinomial(n, counts / n, size=rows)
            right, true, predicted = np.zeros((3, k, rows))
            for (reference, prediction), drawn in zip(places, draws.T, strict=True):
                true[reference] += drawn
                predicted[prediction] += drawn
                if reference == prediction:
                    right[reference] += drawn
            scores.append(score(right.T, true.T, predicted.T))
        return np.concatenate(scores)

    return resample


def by_weights(prepare: Callable[..., Callable[[np.ndarray], np.ndarray]]) -> Callable[..., np.ndarray]:
    """Resampling for metrics that can count an example several times.

    `prepare(predictions, references)` does once what no sample changes, and gives a function from how often each
    example was drawn, (b, n), to scores (b,).
    """

    def resample(predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int) -> np.ndarray:
        import numpy as np

        n = len(references)
        score = prepare(predictions, references)
        scores = []
        for rows in _chunks(b, n):
            weights = np.empty((rows, n))
            for row in weights:
                row[:] = np.bincount(random.integers(0, n, n), minlength=n)
            scores.append(score(weights))
        return np.concatenate(scores)

    return resample


def _chunks(b: int, values: int) -> list[int]:
    """Sizes that add up to b, so that a chunk of samples of so many values each fits."""
    size = max(1, CHUNK_VALUES // values)
    return [min(size, b - start) for start in range(0, b, size)]


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise quotient, 0 where the denominator is 0."""
    import numpy as np

    return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=np.float64), where=denominator != 0)
