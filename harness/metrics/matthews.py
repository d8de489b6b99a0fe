"""Matthews correlation of two labellings, in its form for any number of classes (Gorodkin 2004); GLUE's metric for
CoLA.
"""

from __future__ import annotations

import numpy as np

from harness.metrics.base import Metric
from harness.metrics.resampling import by_counts, divide, of_sample


def of_counts(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Covariance of the labellings over the product of their deviations; 0 where a side is constant."""
    total = true.sum(axis=1)
    together = right.sum(axis=1) * total - (true * predicted).sum(axis=1)
    apart = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return divide(together, np.sqrt(apart))


METRIC = Metric(
    name="matthews_correlation",
    version=1,
    inputs="labels",
    low=-1.0,
    high=1.0,
    compute=of_sample(of_counts),
    chance=lambda references: 0.0,
    resample=by_counts(of_counts),
)
