"""What a comparison rests on: the predictions, references and scores of a run, with all that must fit between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.core.cell_records import ContaminationRecord, Lineage, PrecisionFacts, ScoreRecord
from harness.core.contamination import KIND, notes_by_score
from harness.core.errors import HarnessError, unknown
from harness.core.hashing import hash_json
from harness.core.portions import portion_name
from harness.core.predictions import PREDICTIONS, as_references, prediction_hash, read_ids, read_predictions
from harness.core.runs import asked_for, named
from harness.core.specs import Margins
from harness.core.store import Store
from harness.core.text import without_paths
from harness.exchange.outcomes import Outcome
from harness.metrics.base import Metric
from harness.pipeline.planner.rereading import reading_of

if TYPE_CHECKING:
    import numpy as np

TaskSplitKey = tuple[str, str]
"""A task and a split."""
Key = tuple[str, str, str, int]
"""A model, a task, a split and a seed."""
MODEL = "model"
"""The folder of a cell that holds its model."""
TOKENIZER_FILES = ("tokenizer.json", "vocab.txt", "vocab.json", "merges.txt", "spiece.model", "tokenizer.model")


@dataclass(frozen=True)
class TaskSplit:
    """A split of a task as it was scored: `metrics` are versions by name, `data` the fingerprint of the split. `ids`
    are there where they were read from a run; a baseline has their hash alone.

    Where another tool is compared, `scorers` are its metrics by name, `inputs` and `answers` what single examples ask
    and the right answers, and `scores_only` says that predictions are the scores of single examples; `is_paired`: there
    are single examples at all.
    """

    task: str
    version: int
    family: str
    split: str
    n: int
    primary_metrics: tuple[str, ...]
    metrics: Mapping[str, int]
    labels: tuple[str, ...]
    data: str
    source: str
    limit: int | None
    references: np.ndarray = field(repr=False)
    ids_hash: str
    ids: tuple[str, ...] | None = field(default=None, repr=False)
    scorers: Mapping[str, Metric] = field(default_factory=dict, repr=False)
    inputs: tuple[str, ...] | None = field(default=None, repr=False)
    answers: tuple[str, ...] | None = field(default=None, repr=False)
    scores_only: bool = False
    is_paired: bool = True

    def metric(self, name: str) -> Metric:
        """The metric of a name: that of another tool, or a registered one."""
        return self.scorers[name] if name in self.scorers else metrics.get(name)


OF_EXCHANGE = ("scorers", "inputs", "answers", "scores_only", "is_paired")
"""Fields of a part that only comparisons with other tools have."""


@dataclass(frozen=True)
class Scored:
    """One model's predictions (n,) on a part, by one seed, and their scores.

    `cell` is where a store keeps the model, `files` the hash of its files, as `harness measure` names a model; None
    where the run did not make it. `settings` are those of the model spec it was trained by,
    `partial_weights` says which of its weights were random, `contamination` what it scores without the examples that
    stand in what it learned from, and with them. `answers` are the predictions as texts where another tool is compared,
    `variance` that of a score of which there are no single examples.
    """

    predictions: np.ndarray = field(repr=False)
    prediction_hash: str
    scores: Mapping[str, Mapping[str, float]]
    model_id: str
    learner: str
    weights: str | None
    parameters: int | None
    tokenizer: str | None
    trained_on: str
    cell: str | None = None
    files: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    partial_weights: str = ""
    contamination: str = ""
    answers: tuple[str, ...] | None = field(default=None, repr=False)
    variance: float | None = None


@dataclass(frozen=True)
class RunResults:
    """A run, or an accepted baseline, or what another tool says: its `outcomes`, which `harness.gating.matching` makes
    parts and scores of. `failures` are causes by key; `data` is where texts can be read again; `suites`
    list, by name, the tasks that are averaged, `margins` what a suite's file says of them. A run's `store` has its
    models, and `reading` is how it read its data.
    """

    name: str
    created: str
    suites: Mapping[str, tuple[str, ...]]
    models: tuple[str, ...]
    task_splits: Mapping[TaskSplitKey, TaskSplit]
    scored: Mapping[Key, Scored]
    failures: Mapping[Key, str]
    environment: Mapping[str, Any]
    data: str | None = None
    margins: Mapping[str, Margins] = field(default_factory=dict)
    store: Store | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    tool: str = ""
    outcomes: tuple[Outcome, ...] = field(default=(), repr=False)
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def tasks(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(task for task, _ in self.task_splits))

    @property
    def how_read(self) -> Mapping[str, Any]:
        """How its texts are read again; nothing where it does not say where they are."""
        return self.reading or ({"data": self.data} if self.data else {})

    def seeds(self, model: str, task: str) -> list[int]:
        """Those that were scored or failed."""
        keys = (*self.scored, *self.failures)
        return sorted({key[3] for key in keys if key[0] == model and key[1] == task})

    def only(self, models: tuple[str, ...]) -> RunResults:
        """The results on some of its models."""
        return replace(
            self,
            models=models,
            scored={key: score for key, score in self.scored.items() if key[0] in models},
            failures={key: failure for key, failure in self.failures.items() if key[0] in models},
            outcomes=tuple(outcome for outcome in self.outcomes if outcome.model in models),
        )


def only_models(results: RunResults, models: list[str]) -> RunResults:
    """The results on the models named, on all where none is. Raises HarnessError for one that is not in it."""
    for model in models:
        if model not in results.models:
            raise unknown("model", model, results.models, results.name)
    return results.only(tuple(models)) if models else results


def only_tasks(base: RunResults, candidate: RunResults, tasks: Sequence[str]) -> tuple[RunResults, RunResults]:
    """Two results on the tasks named, on all where none is. One that has none of them stays as it is: its own task may
    be called otherwise.

    Raises:
        HarnessError: neither has a task.
    """
    both = (base, candidate)
    known = [{*results.tasks, *(outcome.task for outcome in results.outcomes)} for results in both]
    for task in tasks:
        if task not in known[0] | known[1]:
            raise unknown("task", task, sorted(known[0] | known[1]), f"{base.name} and {candidate.name}")
    left, right = (
        _on_tasks(results, set(tasks)) if names & set(tasks) else results
        for results, names in zip(both, known, strict=True)
    )
    return left, right


def _on_tasks(results: RunResults, tasks: set[str]) -> RunResults:
    return replace(
        results,
        suites={suite: averaged for suite, averaged in results.suites.items() if set(averaged) <= tasks},
        task_splits={key: task_split for key, task_split in results.task_splits.items() if key[0] in tasks},
        scored={key: score for key, score in results.scored.items() if key[1] in tasks},
        failures={key: failure for key, failure in results.failures.items() if key[1] in tasks},
        outcomes=tuple(outcome for outcome in results.outcomes if outcome.task in tasks),
    )


def as_model(results: RunResults, model: str, name: str) -> RunResults:
    """The results of one model, as if it were called otherwise: what stands beside those of another one."""
    alone = results.only((model,))
    return replace(
        alone,
        name=model,
        models=(name,),
        scored={(name, *key[1:]): score for key, score in alone.scored.items()},
        failures={(name, *key[1:]): cause for key, cause in alone.failures.items()},
    )


def of_run(store: Store, name: str) -> RunResults:
    """The results of a run.

    Raises:
        HarnessError: no such run, or nothing in it was scored against references.
        DamagedFileError: a record or predictions are not what was written.
    """

    manifest = store.run(name)
    records = (store.find(key, ContaminationRecord) for key in asked_for([manifest], KIND))
    leaked = notes_by_score(record for record in records if record is not None)
    task_splits: dict[TaskSplitKey, TaskSplit] = {}
    scored: dict[Key, Scored] = {}
    failures: dict[Key, str] = {}
    for cell in manifest.cells:
        if cell.kind != "score":
            continue
        model = _label(cell.model, portion_name(cell.fraction, cell.k_shot))
        key = (model, cell.task, cell.split or "", cell.seed)
        if not store.has(cell.cell):
            failures[key] = without_paths(cell.cause or f"{cell.status}, no record")
            continue
        record = named(store.read(cell.cell, ScoreRecord), manifest.names_of(cell))
        if not record.scores:
            continue
        path = store.file(cell.cell, PREDICTIONS)
        predictions, references, _ = read_predictions(path, record.n)
        task, data = record.task, record.data
        ids = read_ids(path)
        task_splits.setdefault(
            key[1:3],
            TaskSplit(
                task=task.name,
                version=task.version,
                family=task.family,
                split=record.split,
                n=record.n,
                primary_metrics=tuple(record.primary_metrics),
                metrics={name: score.version for name, score in record.scores.items()},
                labels=record.labels,
                data=data.splits[record.split].fingerprint,
                source=data.source,
                limit=data.limit,
                references=_without(references, record.n),
                ids_hash=hash_json(list(ids)),
                ids=ids,
            ),
        )
        scored[key] = Scored(
            predictions=predictions,
            prediction_hash=record.predictions.sha256 if record.predictions else prediction_hash(predictions),
            scores={
                name: {"value": score.value, "low": score.low, "high": score.high}
                for name, score in record.scores.items()
            },
            model_id=record.model.id,
            learner=record.model.learner,
            weights=record.model.weights,
            parameters=record.model.parameters,
            tokenizer=_tokenizer(store, record.lineage),
            trained_on=hash_json([data.trained_on, data.portion]),
            contamination="; ".join(leaked.get(cell.cell, ())),
            partial_weights=partial.summary if (partial := record.model.partial_weights) else "",
            **_model(store, record),
        )
    if not scored:
        raise HarnessError(f"run {manifest.run}: nothing in it was scored against references")
    return RunResults(
        name=manifest.run,
        created=manifest.created,
        suites={suite.name: tuple(suite.averaged) for suite in manifest.suites},
        models=tuple(dict.fromkeys(key[0] for key in (*scored, *failures))),
        task_splits=task_splits,
        scored=scored,
        failures=failures,
        environment=manifest.environment.as_json(),
        data=manifest.data,
        reading=reading_of(manifest.spec),
        margins={suite.name: Margins.model_validate(suite.margins) for suite in manifest.suites if suite.margins},
        store=store,
    )


def _label(model: str, portion: str) -> str:
    """A model trained on a portion of the examples is another model."""
    return f"{model} at {portion}" if portion else model


def _without(references: np.ndarray | None, n: int) -> np.ndarray:
    """References, or empty ones for metrics that look at none."""

    return as_references(tuple(() for _ in range(n))) if references is None else references


def _model(store: Store, scored: ScoreRecord) -> dict[str, Any]:
    """The cell that made the model, its settings with the floats that they came to, and the hash of its files, as
    `harness.core.hashing.fingerprint_of` has it.
    """
    lineage = scored.lineage
    key = lineage.maker
    if not key or not store.has(key):
        return {}
    folder = f"{MODEL}/"
    record = store.read(key)
    files = record.files
    hashes = {name.removeprefix(folder): file.sha256 for name, file in files.items() if name.startswith(folder)}
    digest = hash_json(sorted((name, sha) for name, sha in hashes.items() if "/" not in name))
    fitted = store.read(lineage.finetune) if lineage.finetune and store.has(lineage.finetune) else record
    spec = fitted.spec.get("model")
    settings = settings_of(spec if isinstance(spec, Mapping) else {})
    return {"cell": key, "files": digest, "settings": settings | _floats(scored.precision)}


def _floats(precision: PrecisionFacts) -> dict[str, str]:
    names = {"precision": precision.training, "pretraining.precision": precision.pretraining}
    return {name: value for name, value in names.items() if value is not None}


def settings_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a model spec, as a cell depends on them: `learning_rate`, `config.n_layer`, …"""
    settings: dict[str, Any] = {}
    for section in ("training", "config", "tokenizer", "pretraining", "options"):
        values = spec.get(section)
        for name, value in values.items() if isinstance(values, Mapping) else ():
            if isinstance(value, str | int | float | bool):
                settings[name if section == "training" else f"{section}.{name}"] = value
    return settings


def _tokenizer(store: Store, lineage: Lineage) -> str | None:
    """A hash of the tokenizer's files beside the model, None where it has none."""
    key = lineage.finetune or lineage.pretrain
    if not key or not store.has(key):
        return None
    files = store.read(key).files
    hashes = {name: facts.sha256 for name, facts in files.items() if name.rpartition("/")[2] in TOKENIZER_FILES}
    return hash_json(hashes) if hashes else None
