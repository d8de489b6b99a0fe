"""What is exported: the models of a run, their score records and what they score over their seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.core.cell_records import CompressRecord, ContaminationRecord, FitRecord, ScoreRecord
from harness.core.contamination import KIND, with_contamination
from harness.core.errors import HarnessError, did_you_mean
from harness.core.run_records import RunManifest
from harness.core.runs import asked_for, with_names
from harness.core.specs import SuiteSpec
from harness.core.store import Store
from harness.report.tables.leaderboard import build
from harness.report.tables.table import MetricScore


@dataclass(frozen=True)
class Model:
    """A model of a run: its score records by task, all seeds and splits of each, trained on the same fraction of the
    examples, and per task what each metric of each split scores over the seeds.
    """

    name: str
    run: RunManifest
    records: Mapping[str, Sequence[ScoreRecord]]
    metric_scores: Mapping[str, Sequence[MetricScore]]

    def first(self, task: str) -> ScoreRecord:
        """The record of the lowest seed, of the first split."""
        return min(self.records[task], key=lambda record: (record.seed, record.split))


def find_model(store: Store, run: str, asked: str) -> Model:
    """The model `NAME` of a run, or of `NAME:TASK` what concerns that task; tasks under noise are left out.

    Raises:
        HarnessError: no such run, model or task, or none of its scores is done.
        DamagedFileError: a record is not what was written.
    """
    manifest = store.run(run)
    known = model_names(manifest)
    name, task = (asked, None) if asked in known else _split(asked)
    if name not in known:
        raise HarnessError(f"run {manifest.run} has no model '{name}'.{did_you_mean(name, known)}")
    model = read_model(store, manifest, name)
    if task is None:
        return model
    if task not in model.records:
        raise HarnessError(f"run {manifest.run} did not score {name} on '{task}'.{did_you_mean(task, model.records)}")
    return Model(name, manifest, {task: model.records[task]}, {task: model.metric_scores[task]})


def model_names(manifest: RunManifest) -> list[str]:
    return list(dict.fromkeys(cell.model for cell in manifest.cells if cell.kind == "score"))


def read_model(store: Store, manifest: RunManifest, name: str) -> Model:
    """Raises HarnessError where the model has no score, DamagedFileError where a record is damaged."""
    cells = [cell for cell in manifest.cells if cell.kind == "score" and cell.model == name]
    asked = asked_for([manifest.model_copy(update={"cells": cells})])
    records = with_names((record for key in asked if (record := store.find(key, ScoreRecord)) is not None), asked)
    leaked = [store.find(key, ContaminationRecord) for key in asked_for([manifest], KIND)]
    records = with_contamination(
        [record for record in records if not record.task.perturbation],
        [record for record in leaked if record is not None],
    )
    if not records:
        raise HarnessError(f"run {manifest.run} has no score of {name}; run it again, or name another with --run")
    fraction = max(record.data.train_fraction for record in records)
    by_task: dict[str, list[ScoreRecord]] = {}
    for record in records:
        if record.data.train_fraction == fraction:
            by_task.setdefault(record.task.name, []).append(record)
    return Model(name, manifest, by_task, {task: _metric_scores(records) for task, records in by_task.items()})


def made_by(store: Store, record: ScoreRecord) -> FitRecord | None:
    """The record of the cell that made the model of a score: a compression or a fine-tuning; None of a model that was
    shown examples instead.
    """
    key = record.lineage.maker
    if not key:
        return None
    return store.read(key, CompressRecord if record.lineage.compress else FitRecord)


def fitted(store: Store, record: ScoreRecord) -> FitRecord | None:
    """The record of the fine-tuning behind a score, also of a compressed model."""
    key = record.lineage.finetune
    return store.find(key, FitRecord) if key else None


def weights_of(store: Store, model: Model) -> Path:
    """The checked folder of the model of the lowest seed. Raises HarnessError where there are several tasks, or none of
    them trained it; DamagedFileError.
    """
    if len(model.records) > 1:
        tasks = list(model.records)
        raise HarnessError(
            f"{model.name} has weights for each of {', '.join(tasks)}; a repository is of one: {model.name}:{tasks[0]}"
        )
    (task,) = model.records
    made = made_by(store, model.first(task))
    if made is None:
        raise HarnessError(f"{model.name} was not trained on {task}: there are no weights to push")
    return store.model(made.cell)


def _split(asked: str) -> tuple[str, str | None]:
    name, colon, task = asked.rpartition(":")
    return (name, task) if colon else (asked, None)


def _metric_scores(records: Sequence[ScoreRecord]) -> Sequence[MetricScore]:
    """Over seeds, by the leaderboard's own rule; none where the task has no labels."""
    name = records[0].task.name
    suite = SuiteSpec.model_construct(name=name, version=1, description="", tasks=[name], average=[])
    (table,) = build(records, [suite])
    (row,) = table.rows
    return row.scores[name].parts if name in row.scores else ()
