"""Pearson's correlation of predicted and true values; with Spearman's, GLUE's metric for STS-B."""

from __future__ import annotations

import datasets
import evaluate
import numpy as np
from scipy.stats import pearsonr

from harness.metrics.base import Metric
from harness.metrics.resampling import by_examples, divide


class Pearson(evaluate.Metric):
    """`evaluate` module: `compute(predictions=[…], references=[…])` → `{"pearson": float}`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Linear correlation, -1 to 1; 0 where a side is constant.",
            citation="",
            inputs_description="predictions, references: numbers",
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
            ),
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, float]:
        return {"pearson": METRIC.score(np.asarray(predictions), np.asarray(references))}


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    """Defined as 0 where a side is constant: such a prediction orders nothing, and nan could not be averaged."""
    if is_constant(predictions) or is_constant(references):
        return 0.0
    return float(np.clip(pearsonr(predictions.astype(np.float64), references.astype(np.float64)).statistic, -1, 1))


def is_constant(values: np.ndarray) -> bool:
    """Also where values differ by rounding alone, as the outputs of a model that learned the mean may."""
    values = values.astype(np.float64)
    return bool(np.ptp(values) <= 1e-9 * max(1.0, float(np.abs(values).max())))


def of_samples(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Correlations (b,) of rows (b, n)."""
    x = predictions.astype(np.float64) - predictions.mean(axis=1, keepdims=True, dtype=np.float64)
    y = references.astype(np.float64) - references.mean(axis=1, keepdims=True, dtype=np.float64)
    together = np.einsum("bn,bn->b", x, y)
    apart = np.sqrt(np.einsum("bn,bn->b", x, x) * np.einsum("bn,bn->b", y, y))
    return np.clip(divide(together, apart), -1, 1)


METRIC = Metric(
    name="pearson",
    version=1,
    inputs="values",
    low=-1.0,
    high=1.0,
    compute=compute,
    chance=lambda references: 0.0,
    resample=by_examples(of_samples),
)
