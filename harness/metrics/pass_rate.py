"""The pass rate of tests of behaviour: the fraction of examples on which a model does what it must."""

from __future__ import annotations

import numpy as np

from harness.metrics.base import Metric, no_chance
from harness.metrics.resampling import by_counts


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    return float((predictions == references).mean())


METRIC = Metric(
    name="pass_rate",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=compute,
    chance=no_chance,
    counts_successes=True,
    resample=by_counts(lambda right, true, predicted: right.sum(axis=1) / true.sum(axis=1)),
)
