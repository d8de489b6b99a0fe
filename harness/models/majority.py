"""The trivial baseline: the most frequent class, or the mean value, whatever the text."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.frame import Split
from harness.families import Family
from harness.models.base import FitRequest, Learner
from harness.specs import RecipeSpec

if TYPE_CHECKING:
    import numpy as np


class Majority(Learner):
    deterministic = True

    def code(self) -> list[Path]:
        return [Path(__file__)]

    def estimate(self, recipe: RecipeSpec, pretrained: Path | None, examples: int, words: int) -> float | None:
        return 0.0

    def fit(self, request: FitRequest) -> dict[str, Any]:
        targets = request.train.labels
        assert targets is not None
        if request.family.predictions == "labels":
            counts = Counter(targets)
            scores = [counts[index] / len(targets) for index in range(len(request.labels))]
        else:
            scores = [sum(targets) / len(targets)]
        (request.directory / "majority.json").write_text(json.dumps({"scores": scores}))
        return {"parameters": len(scores)}

    def predict(self, directory: Path, family: Family, labels: tuple[str, ...], split: Split) -> np.ndarray:
        import numpy as np

        scores = json.loads((directory / "majority.json").read_text())["scores"]
        return np.tile(np.asarray(scores, dtype=np.float32), (len(split), 1))


LEARNER = Majority()
