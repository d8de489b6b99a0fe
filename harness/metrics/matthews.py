"""Matthews correlation of two labellings, in its form for any number of classes (Gorodkin 2004); GLUE's metric for
CoLA.
"""

from __future__ import annotations

import datasets
import evaluate
import numpy as np
from sklearn.metrics import matthews_corrcoef

from harness.metrics.base import Metric
from harness.metrics.resampling import by_confusion, divide


class MatthewsCorrelation(evaluate.Metric):
    """`evaluate` module: `compute(predictions=[…], references=[…])` → `{"matthews_correlation": float}`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Correlation of two labellings, -1 to 1; 0 where one of them is constant.",
            citation="",
            inputs_description="predictions, references: class ids",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"matthews_correlation": METRIC.score(np.asarray(predictions), np.asarray(references))}


def of_tables(tables: np.ndarray) -> np.ndarray:
    """Covariance of the labellings over the product of their deviations, from tables (b, k, k)."""
    total = tables.sum(axis=(1, 2))
    right = np.trace(tables, axis1=1, axis2=2)
    true, predicted = tables.sum(axis=2), tables.sum(axis=1)
    together = right * total - (true * predicted).sum(axis=1)
    apart = (total**2 - (predicted**2).sum(axis=1)) * (total**2 - (true**2).sum(axis=1))
    return divide(together, np.sqrt(apart))


METRIC = Metric(
    name="matthews_correlation",
    version=1,
    inputs="labels",
    low=-1.0,
    high=1.0,
    compute=lambda predictions, references: matthews_corrcoef(references, predictions),
    chance=lambda references: 0.0,
    resample=by_confusion(of_tables),
)
