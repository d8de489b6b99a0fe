"""The trivial tagger: of each word the tag that it has most often in the training split, of others the tag that is most
frequent of all.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from harness.core.families import FAMILIES
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec
from harness.training.learners.base import FitRequest, Learner, PredictRequest, Rates

FILE = "unigram-tagger.json"


class UnigramTagger(Learner):
    deterministic = True
    exact = True
    augmented = frozenset()
    rates = Rates(1e-6, 1e-6)

    def estimate(self, model_spec: ModelSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        return 10.0 * words

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        if FAMILIES.get(task.family).predictions != "tags":
            return f"{model_spec.name} tags words, {task.family} is something else"
        return f"{model_spec.name} has to be trained on a task" if task.shots is not None else None

    def fit(self, request: FitRequest) -> dict[str, Any]:
        counts: dict[str, Counter[str]] = {}
        of_all: Counter[str] = Counter()
        references: Any = request.train.labels
        for text, (tags,) in zip(request.train.fields["tokens"], references, strict=True):
            for word, tag in zip(text.split(" "), tags.split(), strict=True):
                counts.setdefault(word, Counter())[tag] += 1
                of_all[tag] += 1
        other = _most(of_all)
        known = {word: _most(of_word) for word, of_word in sorted(counts.items())}
        saved = {"tags": {word: tag for word, tag in known.items() if tag != other}, "other": other}
        (request.directory / FILE).write_text(json.dumps(saved, ensure_ascii=False), encoding="utf-8")
        return {"parameters": len(saved["tags"]), "vocabulary": len(known)}

    def predict(self, request: PredictRequest) -> Predictions:
        import numpy as np

        saved = json.loads((request.directory / FILE).read_text(encoding="utf-8"))
        known, other = saved["tags"], saved["other"]
        values = np.empty(len(request.split), dtype=object)
        values[:] = [
            " ".join(known.get(word, other) for word in text.split(" ")) for text in request.split.fields["tokens"]
        ]
        return Predictions(values)


def _most(counts: Counter[str]) -> str:
    """The most frequent tag, of several the first in order."""
    return min(counts, key=lambda tag: (-counts[tag], tag))


LEARNER = UnigramTagger()
