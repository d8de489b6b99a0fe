"""The trivial baseline: the most frequent class, the mean value, or the most frequent answer, whatever the text.

Its logits are the logarithms of the classes' fractions of the training examples, each counted once more (Laplace), so
that a class without examples has a chance too.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from harness.core.families import FAMILIES
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec
from harness.training.learners.base import FitRequest, Learner, PredictRequest, Rates


class Majority(Learner):
    deterministic = True
    remembers = False
    augmented = frozenset()
    rates = Rates()
    exact = True

    def estimate(self, model_spec: ModelSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        return 0.0

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        if FAMILIES.get(task.family).extractive:
            return "majority has to be trained on a task" if task.shots is not None else None
        return super().not_applicable(task, model_spec, architecture)

    def fit(self, request: FitRequest) -> dict[str, Any]:
        targets: Any = request.train.labels
        assert targets is not None
        if request.family.in_words:
            counts = Counter(references[0] if references else "" for references in targets)
            answer = min(counts, key=lambda text: (-counts[text], text))
            _write(request.directory, {"answer": answer})
            return {"parameters": 0}
        if request.family.predictions == "labels":
            counts = Counter(targets)
            total = len(targets) + len(request.labels)
            scores = [math.log((counts[index] + 1) / total) for index in range(len(request.labels))]
        else:
            scores = [sum(targets) / len(targets)]
        _write(request.directory, {"scores": scores})
        return {"parameters": len(scores)}

    def predict(self, request: PredictRequest) -> Predictions:
        import numpy as np

        saved = json.loads((request.directory / "majority.json").read_text(encoding="utf-8"))
        if "answer" in saved:
            return Predictions(np.full(len(request.split), saved["answer"], dtype=object))
        scores = np.asarray(saved["scores"], dtype=np.float32)
        return self.of_logits(request.family, np.tile(scores, (len(request.split), 1)))


def _write(directory: Path, values: dict[str, Any]) -> None:
    (directory / "majority.json").write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


LEARNER = Majority()
