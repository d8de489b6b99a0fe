"""What the Python API returns of robustness: scores under attacks and noise, and the examples that fool a model."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from harness.core.attacked_examples import AttackedExample, read_attacked
from harness.core.cell_records import ScoreRecord
from harness.core.predictions import PREDICTIONS
from harness.core.runs import asked_for, with_names
from harness.core.store import Store
from harness.report.results import RunResult
from harness.report.tables.attacks import AttackRow
from harness.report.tables.checks import CheckRow
from harness.report.tables.robustness import Row
from harness.report.text.diagnostics import robustness_tables, robustness_text
from harness.report.text.runs import say_damaged


@dataclass(frozen=True)
class RobustnessReport:
    """What models lose.

    Attributes:
        run: The run of the scores; a cell that failed is among its `failures`.
        attacks: A row a model, task and attack.
        noise: A row a model and task, with its scores under each noise.
        checks: A row a model and test of behaviour, with the first failing examples.
    """

    run: RunResult
    attacks: tuple[AttackRow, ...]
    noise: tuple[Row, ...]
    checks: tuple[CheckRow, ...]
    _store: Store = field(repr=False)

    def examples(self, model: str, attack: str, task: str | None = None) -> list[AttackedExample]:
        """The attacked examples of a model by the run's name for it; of the first seed and split, of a task where the
        run has several.

        Raises:
            HarnessError: a stored file is damaged.
        """
        for record in _records(self._store, self.run.name):
            of_task = task is None or record.task.name.partition("+")[0] == task
            if record.attack is not None and record.model.name == model and record.attack.method == attack and of_task:
                return read_attacked(self._store.file(record.cell, PREDICTIONS))
        return []

    def to_markdown(self) -> str:
        """The tables of `harness robustness`."""
        return robustness_text(self._store, [self.run.name], "markdown")

    def to_json(self) -> dict[str, Any]:
        """The same at full precision, as JSON has it."""
        content: dict[str, Any] = json.loads(robustness_text(self._store, [self.run.name], "json"))
        return content


def read_robustness(store: Store, run: RunResult) -> RobustnessReport:
    """What a run found of robustness."""
    noise, attacks, checks = robustness_tables(store, [run.name], "json")
    return RobustnessReport(
        run,
        tuple(row for table in attacks for row in table.rows),
        tuple(row for table in noise for row in table.rows),
        tuple(row for table in checks for row in table.rows),
        store,
    )


def _records(store: Store, name: str) -> list[ScoreRecord]:
    asked = asked_for([store.run(name)], "score")
    return with_names(store.find_all(asked, say_damaged, ScoreRecord), asked)
