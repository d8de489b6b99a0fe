"""F1 of class 1, as GLUE scores MRPC and QQP: the harmonic mean of precision and recall."""

from __future__ import annotations

import numpy as np

from harness.core.errors import HarnessError
from harness.metrics.base import Metric
from harness.metrics.resampling import by_counts, divide, of_sample


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    """0 where class 1 is neither predicted nor there. Raises HarnessError for more than two classes."""
    if max(predictions.max(), references.max()) > 1:
        raise HarnessError("metric f1: it scores class 1 of the classes 0 and 1; use macro_f1 for more classes")
    return of_sample(of_counts)(predictions, references)


def chance(references: np.ndarray) -> float:
    """Always class 1: precision p at full recall."""
    fraction = float((references == 1).mean())
    return 2 * fraction / (1 + fraction)


def of_counts(right: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return divide(2 * right[:, 1], true[:, 1] + predicted[:, 1])


METRIC = Metric(
    name="f1",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=compute,
    chance=chance,
    resample=by_counts(of_counts),
)
