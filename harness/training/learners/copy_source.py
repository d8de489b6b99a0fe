"""The trivial translation: the source as it stands."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec
from harness.training.learners.base import FitRequest, Learner, PredictRequest, Rates


class CopySource(Learner):
    rates = Rates()
    deterministic = True
    remembers = False
    augmented = frozenset()
    exact = True

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        return (
            None if task.family == "translation" else f"{model_spec.name} translates, {task.family} is something else"
        )

    def estimate(self, model_spec: ModelSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        return 0.0

    def fit(self, request: FitRequest) -> dict[str, Any]:
        (request.directory / "copy.json").write_text("{}")
        return {"parameters": 0}

    def predict(self, request: PredictRequest) -> Predictions:
        import numpy as np

        values = np.empty(len(request.split), dtype=object)
        values[:] = request.split.fields["source"]
        return Predictions(values)


LEARNER = CopySource()
