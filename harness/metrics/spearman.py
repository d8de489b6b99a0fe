"""Spearman's rank correlation of predicted and true values; with Pearson's, GLUE's metric for STS-B."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.metrics.base import Metric
from harness.metrics.resampling import by_weights, divide


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    """Defined as 0 where a side is constant, as Pearson's."""
    from scipy.stats import spearmanr

    if predictions.min() == predictions.max() or references.min() == references.max():
        return 0.0
    return float(np.clip(spearmanr(predictions, references).statistic, -1, 1))


def weighted(predictions: np.ndarray, references: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Correlations (b,) of samples given as weights (b, n), each ranked anew with average ranks for ties.

    The values are sorted once: a value's average rank in a sample is the weight of all smaller values and half its own.
    """
    ranked = [_ranking(values) for values in (predictions, references)]

    def score(weights: np.ndarray) -> np.ndarray:
        (x, xx), (y, yy) = (rank(weights) for rank in ranked)
        return np.clip(divide(np.einsum("bn,bn,bn->b", weights, x, y), np.sqrt(xx * yy)), -1, 1)

    return score


def _ranking(values: np.ndarray) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """From weights (b, n) to ranks less their mean (b, n), and their weighted squares' sum (b,)."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=np.nan) != 0)
    _, group = np.unique(values, return_inverse=True)

    def rank(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tied = np.add.reduceat(weights[:, order], starts, axis=1)
        ranks = np.cumsum(tied, axis=1) - tied / 2 - weights.shape[1] / 2
        return ranks[:, group], np.einsum("bg,bg,bg->b", tied, ranks, ranks)

    return rank


METRIC = Metric(
    name="spearman",
    version=1,
    inputs="values",
    low=-1.0,
    high=1.0,
    compute=compute,
    chance=lambda references: 0.0,
    resample=by_weights(weighted),
)
