"""Macro-F1: the mean over classes of each class's F1."""

from __future__ import annotations

import datasets
import evaluate
import numpy as np
from sklearn.metrics import f1_score

from harness.metrics.base import Metric
from harness.metrics.resampling import by_confusion, divide


class MacroF1(evaluate.Metric):
    """`evaluate` module: `compute(predictions=[…], references=[…])` → `{"macro_f1": float}`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Mean over classes of F1.",
            citation="",
            inputs_description="predictions, references: class ids",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"macro_f1": METRIC.score(np.asarray(predictions), np.asarray(references))}


def chance(references: np.ndarray) -> float:
    """Always one class, the most frequent: its F1 over the number of classes there are."""
    counts = np.unique(references, return_counts=True)[1]
    share = counts.max() / len(references)
    return float(2 * share / (1 + share) / len(counts))


def of_tables(tables: np.ndarray) -> np.ndarray:
    """The mean over the classes that occur in a sample's references or predictions."""
    right = np.diagonal(tables, axis1=1, axis2=2)
    either = tables.sum(axis=1) + tables.sum(axis=2)
    return divide(divide(2 * right, either).sum(axis=1), (either > 0).sum(axis=1))


METRIC = Metric(
    name="macro_f1",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=lambda predictions, references: f1_score(references, predictions, average="macro", zero_division=0.0),
    chance=chance,
    resample=by_confusion(of_tables),
)
