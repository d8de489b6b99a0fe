"""A registered metric in the shape of the `evaluate` library."""

from __future__ import annotations

from typing import Any

import datasets
import evaluate
import numpy as np

from harness import metrics
from harness.core.grouped import grouped
from harness.metrics.base import Metric


class RegisteredMetric(evaluate.Metric):
    """`compute(predictions=[…], references=[…])` → `{name: float}`; `add_batch`, `combine` and the rest of
    `evaluate.Metric` work. References of texts and likelihoods are a list of strings for each prediction; metrics that
    look at none take predictions alone; those of groups of examples take the number of each example's as `groups`.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        super().__init__(config_name=metric.name)

    def _info(self) -> evaluate.MetricInfo:
        number = datasets.Value("int64" if self._metric.inputs == "labels" else "float64")
        text = datasets.Value("string")
        features: dict[str, Any] = {
            "predictions": text if self._metric.inputs in ("texts", "tags", "last-words", "ranks") else number
        }
        if self._metric.references != "unused":
            in_words = self._metric.inputs in ("texts", "likelihoods", "tags", "ranks")
            features["references"] = datasets.Sequence(text) if in_words else number
        if self._metric.counts_groups:
            features["groups"] = datasets.Value("int64")
        return evaluate.MetricInfo(
            description=f"{self._metric.name}, version {self._metric.version}",
            citation="",
            inputs_description=f"{', '.join(features)}: {self._metric.inputs}",
            features=datasets.Features(features),
        )

    def _compute(
        self, predictions: list[Any], references: list[Any] | None = None, groups: list[int] | None = None
    ) -> dict[str, float]:
        true = references if groups is None or references is None else grouped(np.asarray(references), groups)
        return {self._metric.name: self._metric.score(predictions, true)}


def load(name: str) -> evaluate.Metric:
    """A registered metric as an `evaluate.Metric`: `load("accuracy").compute(predictions=…, references=…)`; no
    network.
    """
    return RegisteredMetric(metrics.get(name))
