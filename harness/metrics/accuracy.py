"""Accuracy: the fraction of predictions that equal their reference."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import Metric
from harness.metrics.resampling import by_counts


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    """scikit-learn's `accuracy_score` to the bit, without the second that its import takes."""
    return float(np.mean(predictions == references))


def chance(references: np.ndarray) -> float:
    """Always the most frequent class."""
    return float(np.unique(references, return_counts=True)[1].max() / len(references))


METRIC = Metric(
    name="accuracy",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=compute,
    chance=chance,
    counts_successes=True,
    resample=by_counts(lambda right, true, predicted: right.sum(axis=1) / true.sum(axis=1)),
)
