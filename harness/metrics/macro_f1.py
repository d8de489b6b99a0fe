"""Macro-F1: the mean over classes of each class's F1."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import Metric
from harness.metrics.resampling import by_counts, divide, of_sample


def chance(references: np.ndarray) -> float:
    """Always one class, the most frequent: its F1 over the number of classes there are."""
    counts = np.unique(references, return_counts=True)[1]
    fraction = counts.max() / len(references)
    return float(2 * fraction / (1 + fraction) / len(counts))


def of_counts(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """The mean over the classes that occur in a sample's references or predictions."""
    either = true + predicted
    return divide(divide(2 * right, either).sum(axis=1), (either > 0).sum(axis=1))


METRIC = Metric(
    name="macro_f1",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=of_sample(of_counts),
    chance=chance,
    resample=by_counts(of_counts),
)
