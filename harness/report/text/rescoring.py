"""Metrics computed again from stored predictions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness import metrics
from harness.core.cell_records import ScoreFacts
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.predictions import PREDICTIONS, read_predictions
from harness.core.store import Store
from harness.report.text.runs import score_records
from harness.report.text.text import cell_text, columns
from harness.stats.scoring import score_all


def rescore(store: Store, name: str, names: Sequence[str], as_json: bool) -> tuple[str, bool]:
    """Metrics computed again from stored predictions, beside the stored ones.

    Returns the text and whether every score that was stored came out the same.

    Raises:
        DamagedFileError: predictions are not what was written.
        HarnessError: an unknown metric, or one that does not fit a task's predictions.
    """

    for metric in names:
        metrics.get(metric)
    rows: list[Rescored] = []
    for record in score_records(store, [store.run(name)]):
        predictions, references, oracle = read_predictions(store.file(record.cell, PREDICTIONS), record.n)
        wanted = list(names) or list(record.scores)
        values = FAMILIES.get(record.task.family).predictions
        fitting = [metric for metric in wanted if metrics.get(metric).inputs == values]
        for metric, score in score_all(fitting, predictions, references, oracle).items():
            rows.append(
                Rescored(
                    task=record.task.name, split=record.split, model=record.model.name, seed=record.seed, metric=metric,
                    score=ScoreFacts.model_validate(score),
                    stored=record.scores[metric].value if metric in record.scores else None,
                )
            )  # fmt: skip
    if not rows:
        raise HarnessError(
            f"run {name}: nothing to score{f' with {cell_text(list(names))}' if names else ''}: "
            "no stored predictions that fit"
        )
    same = all(row.same is not False for row in rows)
    if as_json:
        return json.dumps([row.as_json() for row in rows], indent=1), same
    return columns([row.cells() for row in rows], HEADER), same


HEADER = ["task", "split", "model", "seed", "metric", "value", "95 % interval", "n", "compared"]


@dataclass(frozen=True)
class Rescored:
    """A score computed again. `stored` is None where it is a new one."""

    task: str
    split: str
    model: str
    seed: int
    metric: str
    score: ScoreFacts
    stored: float | None

    @property
    def same(self) -> bool | None:
        return None if self.stored is None else abs(self.stored - self.score.value) < 1e-9

    def as_json(self) -> dict[str, Any]:
        place = {
            "task": self.task, "split": self.split, "model": self.model, "seed": self.seed, "metric": self.metric,
        }  # fmt: skip
        return {**place, **self.score.as_json(), "stored": self.stored, "same": self.same}

    def cells(self) -> list[str]:
        score = self.score
        compared = {None: "new", True: "same as stored", False: f"DIFFERS, stored {self.stored or 0:.4f}"}[self.same]
        interval = f"[{score.low:.4f}, {score.high:.4f}]"
        return [
            self.task, self.split, self.model, str(self.seed), self.metric, f"{score.value:.4f}", interval,
            str(score.n), compared,
        ]  # fmt: skip
