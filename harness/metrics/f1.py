"""F1 of class 1, as GLUE scores MRPC and QQP: the harmonic mean of precision and recall."""

from __future__ import annotations

import datasets
import evaluate
import numpy as np
from sklearn.metrics import f1_score

from harness.errors import HarnessError
from harness.metrics.base import Metric
from harness.metrics.resampling import by_confusion, divide


class F1(evaluate.Metric):
    """`evaluate` module: `compute(predictions=[…], references=[…])` → `{"f1": float}`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="F1 of class 1.",
            citation="",
            inputs_description="predictions, references: class ids 0 or 1",
            features=datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}),
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, float]:
        return {"f1": METRIC.score(np.asarray(predictions), np.asarray(references))}


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    """0 where class 1 is neither predicted nor there. Raises HarnessError for more than two classes."""
    if max(predictions.max(), references.max()) > 1 or min(predictions.min(), references.min()) < 0:
        raise HarnessError("metric f1: it scores class 1 of the classes 0 and 1; use macro_f1 for more classes")
    return f1_score(references, predictions, zero_division=0.0)


def chance(references: np.ndarray) -> float:
    """Always class 1: precision p at full recall."""
    share = float((references == 1).mean())
    return 2 * share / (1 + share)


def of_tables(tables: np.ndarray) -> np.ndarray:
    right, wrong = tables[:, 1, 1], tables[:, 0, 1] + tables[:, 1, 0]
    return divide(2 * right, 2 * right + wrong)


METRIC = Metric(
    name="f1",
    version=1,
    inputs="labels",
    low=0.0,
    high=1.0,
    compute=compute,
    chance=chance,
    resample=by_confusion(of_tables),
)
