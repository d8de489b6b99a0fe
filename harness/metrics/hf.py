"""A registered metric in the shape of the `evaluate` library."""

from __future__ import annotations

import datasets
import evaluate
import numpy as np

from harness.metrics.base import Metric


class RegisteredMetric(evaluate.Metric):
    """`compute(predictions=[…], references=[…])` → `{name: float}`; `add_batch`, `combine` and the rest of
    `evaluate.Metric` work.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        super().__init__(config_name=metric.name)

    def _info(self) -> evaluate.MetricInfo:
        kind = "int64" if self._metric.inputs == "labels" else "float64"
        return evaluate.MetricInfo(
            description=f"{self._metric.name}, version {self._metric.version}",
            citation="",
            inputs_description=f"predictions, references: {self._metric.inputs}",
            features=datasets.Features({"predictions": datasets.Value(kind), "references": datasets.Value(kind)}),
        )

    def _compute(self, predictions: list[float], references: list[float]) -> dict[str, float]:
        return {self._metric.name: self._metric.score(np.asarray(predictions), np.asarray(references))}
