"""Bootstrap samples of a metric, many at once (Efron & Tibshirani 1993, chapter 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

CHUNK_VALUES = 4_000_000
"""Resampled values held at once: some 100 MB with the temporaries."""


def by_confusion(score: Callable[[np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Resampling for metrics of the confusion table alone.

    Drawing n examples with replacement draws the table's cells from a multinomial: the same distribution, without
    touching examples. `score` maps tables (b, k, k), references by predictions, to scores (b,).
    """

    def resample(predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int) -> np.ndarray:
        import numpy as np

        classes = np.union1d(predictions, references)
        k = int(max(2, classes.max() + 1)) if classes.dtype.kind in "iu" else 2
        table = np.bincount(references.astype(np.int64) * k + predictions.astype(np.int64), minlength=k * k)
        draws = random.multinomial(len(references), table / table.sum(), size=b)
        return score(draws.reshape(b, k, k).astype(np.float64))

    return resample


def by_examples(score: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Callable[..., np.ndarray]:
    """Resampling by drawing examples. `score` maps predictions and references, (b, n) each, to scores (b,)."""

    def resample(predictions: np.ndarray, references: np.ndarray, random: np.random.Generator, b: int) -> np.ndarray:
        import numpy as np

        n = len(references)
        size = max(1, CHUNK_VALUES // n)
        scores = []
        for start in range(0, b, size):
            drawn = random.integers(0, n, size=(min(size, b - start), n))
            scores.append(score(predictions[drawn], references[drawn]))
        return np.concatenate(scores)

    return resample


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Elementwise quotient, 0 where the denominator is 0."""
    import numpy as np

    return np.divide(numerator, denominator, out=np.zeros_like(numerator, dtype=np.float64), where=denominator != 0)
