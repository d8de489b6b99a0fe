"""Accuracy: the share of predictions that equal their reference."""

from __future__ import annotations

import datasets
import evaluate
import numpy as np
from sklearn.metrics import accuracy_score

from harness.metrics.base import Metric
from harness.metrics.resampling import by_confusion


class Accuracy(evaluate.Metric):
    """`evaluate` module: `compute(predictions=[…], references=[…])` → `{"accuracy": float}`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Share of predictions equal to their reference.",
            citation="",
            inputs_description="predictions, references: class ids",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"accuracy": METRIC.score(np.asarray(predictions), np.asarray(references))}


def chance(references: np.ndarray) -> float:
    """Always the most frequent class."""
    return float(np.unique(references, return_counts=True)[1].max() / len(references))


METRIC = Metric(
    name="accuracy",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: accuracy_score(references, predictions),
    chance=chance,
    counts_successes=True,
    resample=by_confusion(lambda tables: np.trace(tables, axis1=1, axis2=2) / tables.sum(axis=(1, 2))),
)
