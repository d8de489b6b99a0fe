"""Spearman's rank correlation of predicted and true values; with Pearson's, GLUE's metric for STS-B."""

from __future__ import annotations

import datasets
import evaluate
import numpy as np
from scipy.stats import rankdata, spearmanr

from harness.metrics.base import Metric
from harness.metrics.pearson import is_constant, of_samples
from harness.metrics.resampling import by_examples


class Spearman(evaluate.Metric):
    """`evaluate` module: `compute(predictions=[…], references=[…])` → `{"spearman": float}`."""

    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description="Rank correlation with average ranks for ties, -1 to 1; 0 where a side is constant.",
            citation="",
            inputs_description="predictions, references: numbers",
            features=datasets.Features(
                {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
            ),
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, float]:
        return {"spearman": METRIC.score(np.asarray(predictions), np.asarray(references))}


def compute(predictions: np.ndarray, references: np.ndarray) -> float:
    """Defined as 0 where a side is constant, as Pearson's."""
    if is_constant(predictions) or is_constant(references):
        return 0.0
    return float(spearmanr(predictions, references).statistic)


METRIC = Metric(
    name="spearman",
    version=1,
    inputs="values",
    low=-1.0,
    high=1.0,
    compute=compute,
    chance=lambda references: 0.0,
    resample=by_examples(
        lambda predictions, references: of_samples(rankdata(predictions, axis=1), rankdata(references, axis=1))
    ),
)
