"""The trivial summary: the first sentences of the text (lead-3; Nallapati et al. 2017). A dialogue's sentences are its
turns.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec
from harness.training.learners.base import FitRequest, Learner, PredictRequest, Rates

SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[^a-z])|(?<=[。！？])|\n+")


class Lead(Learner):
    rates = Rates()
    deterministic = True
    remembers = False
    augmented = frozenset()
    exact = True

    def check(self, model_spec: ModelSpec) -> None:
        self._refuse_options(model_spec, ("sentences",))
        sentences = model_spec.options.get("sentences", 3)
        if not isinstance(sentences, int) or sentences < 1:
            raise HarnessError(f"model spec {model_spec.name}: options.sentences must be a whole number from 1 on")

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        return (
            None if task.family == "summarization" else f"{model_spec.name} summarizes, {task.family} is something else"
        )

    def estimate(self, model_spec: ModelSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        return 0.0

    def fit(self, request: FitRequest) -> dict[str, Any]:
        sentences = request.model_spec.options.get("sentences", 3)
        (request.directory / "lead.json").write_text(json.dumps({"sentences": sentences}))
        return {"parameters": 0}

    def predict(self, request: PredictRequest) -> Predictions:
        import numpy as np

        count = json.loads((request.directory / "lead.json").read_text())["sentences"]
        values = np.empty(len(request.split), dtype=object)
        values[:] = [first_sentences(text, count) for text in request.split.fields["text"]]
        return Predictions(values)


def first_sentences(text: str, count: int) -> str:
    """The first sentences of a text, a line each."""
    sentences = [part.strip() for part in SENTENCE_END.split(text) if part.strip()]
    return "\n".join(sentences[:count])


LEARNER = Lead()
