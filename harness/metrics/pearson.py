"""Pearson's correlation of predicted and true values; with Spearman's, GLUE's metric for STS-B."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.metrics.base import Metric
from harness.metrics.resampling import by_weights, divide

ROUNDING = 1e-9
"""Values scaled to 1 that differ by no more than this are the same but for rounding, as the outputs of a model that
learned the mean.
"""


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    """Defined as 0 where a side is constant: such a prediction orders nothing, and nan could not be averaged."""
    from scipy.stats import pearsonr

    x, y = _unit(predictions), _unit(references)
    if np.ptp(x) <= ROUNDING or np.ptp(y) <= ROUNDING:
        return 0.0
    return float(np.clip(pearsonr(x, y).statistic, -1, 1))


def _unit(values: np.ndarray) -> np.ndarray:
    """Scaled to at most 1 in size, so that no square of them overflows."""
    values = values.astype(np.float64)
    return values / (np.abs(values).max() or 1.0)


def weighted(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Correlations (b,) of samples given as weights (b, n), from their weighted sums."""
    x, y = _unit(predictions), _unit(references)
    x, y = x - x.mean(), y - y.mean()
    terms = np.stack([x, y, x * x, y * y, x * y], axis=1)

    def score(weights: np.ndarray) -> np.ndarray:
        x, y, xx, yy, xy = (weights @ terms / len(terms)).T
        varies_x, varies_y = xx - x * x, yy - y * y
        varies = (varies_x > ROUNDING * xx) & (varies_y > ROUNDING * yy)
        return np.clip(divide(xy - x * y, np.sqrt(np.where(varies, varies_x * varies_y, 0.0))), -1, 1)

    return score


METRIC = Metric(
    name="pearson",
    version=1,
    inputs="values",
    low=-1.0,
    high=1.0,
    compute=compute,
    chance=lambda references: 0.0,
    resample=by_weights(weighted),
)
