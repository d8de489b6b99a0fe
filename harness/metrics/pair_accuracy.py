"""Accuracy on minimal pairs: the fraction of pairs whose right sentence is the likelier one; a tie is half right."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import Metric, examples
from harness.metrics.resampling import by_mean


def values(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """(n,): 1, 0, or 1/2."""
    return (1 + np.sign(predictions)) / 2


METRIC = Metric(
    name="pair_accuracy",
    version=1,
    inputs="log-odds",
    references="unused",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: values(predictions, references).mean(),
    chance=lambda references: 0.5,
    resample=by_mean(values),
    draws=examples,
)
