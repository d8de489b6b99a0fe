"""The score cell: predict a split with a fitted or a pretrained model, and score the predictions with intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from harness.core.cell_records import FitRecord, Selection
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.predictions import PREDICTIONS, Predictions, as_references, joined, prediction_hash, write_predictions
from harness.core.runs import content_of
from harness.core.specs import TaskSpec
from harness.core.store import Store
from harness.data.frame import Split, TaskData
from harness.modeling.runtimes.base import precision_of
from harness.modeling.weights.loading import partial_facts, partial_weights
from harness.modeling.weights.settings import compressed_settings, read_settings
from harness.pipeline.cells import Cell, ScoreJob
from harness.pipeline.steps.inputs import lineage_of, rows_of_folds, task_data, trained_precision, untrained_folder
from harness.stats.scoring import score_all
from harness.training.learners import LEARNERS, PredictRequest
from harness.training.learners.classes import relabelled

ANSWERS = "answers"
"""The folder of the cache in which answers of models behind a server are kept."""
REMOTE = "remote, not pinned"


@dataclass(frozen=True)
class Asked:
    """A split to predict, of a task with these classes, by a model that `answers` says the predictions of."""

    task: TaskSpec
    labels: tuple[str, ...]
    split: Split
    answers: Callable[[Split], Predictions]
    report: Callable[[float], None]


Predict = Callable[[Asked], tuple[Predictions, dict[str, Any]]]
"""Predictions of a split, and what the record says beside."""


@dataclass(frozen=True)
class Subject:
    """A split of a score cell as it was read, and the model that is asked about it; answers of models behind a server
    are kept in the folder `kept`.
    """

    job: ScoreJob
    loaded: TaskData
    split: Split
    model: Model
    kept: Path

    def predict(self, part: Split, report: Callable[[float], None], of: Model | None = None) -> Predictions:
        """What the model, or another one, says of examples."""
        job, labels, model = self.job, self.loaded.labels, of or self.model
        request = PredictRequest(
            job.inputs.task, job.trained_labels or labels, part, model.directory, model.seed, model.shown, report,
            {} if job.trained_labels else job.label_map, job.options, self.kept,
        )  # fmt: skip
        predicted = LEARNERS.get(job.learner).predict(request)
        if not job.trained_labels:
            return predicted
        return relabelled(request.family, predicted, job.trained_labels, labels, job.label_map)

    def asked(self, report: Callable[[float], None], within: Callable[[float], None]) -> Asked:
        """The whole split to predict; `within` is told how far each answer is."""
        answers = partial(self.predict, report=within)
        return Asked(self.job.inputs.task, self.loaded.labels, self.split, answers, report)


def subject_of(job: ScoreJob, store: Store) -> Subject:
    """Read the split, and find the model.

    Raises:
        HarnessError: the data are not as planned, or the model is not there.
    """
    loaded = task_data(job.inputs)
    split = loaded.splits[job.split]
    if job.held_out is not None:
        number, count = job.held_out
        split = split.select(rows_of_folds(job.inputs, split, job.split, count)[number])
    model = _trained(job.source, store) if job.source is not None else _untrained(job, store)
    if not model.lineage.get("finetune"):
        model = _shown(model, job, loaded)
    return Subject(job, loaded, split, model, store.root / "cache" / ANSWERS)


def as_it_is(asked: Asked) -> tuple[Predictions, dict[str, Any]]:
    """Predictions of the texts as they are."""
    return asked.answers(asked.split), {}


def run(
    cell: Cell, store: Store, folder: Path, report: Callable[[float], None], predicting: Predict = as_it_is
) -> dict[str, Any]:
    """Predict, write `folder/predictions.parquet`, and return the record's body."""
    job = cell.job
    assert isinstance(job, ScoreJob)
    subject = subject_of(job, store)
    task, loaded, split, model = job.inputs.task, subject.loaded, subject.split, subject.model
    facts = job.inputs.facts
    scored = {job.split: facts.splits[job.split].as_json()}
    beside: dict[str, Any] = {}
    with partial_weights(job.partial and job.source is None) as misfits:
        if job.folds:
            rows = rows_of_folds(job.inputs, split, job.split, len(job.folds))
            models = [_trained(key, store) for key in job.folds]
            predicted = joined(
                [subject.predict(split.select(indices), report, of) for of, indices in zip(models, rows, strict=True)],
                rows,
            )
            model = replace(model, lineage=_of_folds(models), cautions=_every_caution(models))
            scored = {str(cell.split): _in_folds(scored[job.split], len(rows))}
        else:
            quiet = report if predicting is as_it_is else say_nothing
            predicted, beside = predicting(subject.asked(report, quiet))
    if job.held_out is not None:
        scored = {str(cell.split): _in_folds(scored[job.split], job.held_out[1]) | {"n": len(split)}}
    _refuse_not_finite(predicted)
    references = None if split.labels is None else as_references(split.labels, split.groups)
    oracle = None if split.oracle is None else as_references(split.oracle)
    write_predictions(folder / PREDICTIONS, split.ids, predicted, references, oracle)
    known = facts.splits if model.trained_on else task.eval  # of others nobody knows what they learned from
    used = {"train": model.trained_on, "scored": scored}
    return {
        "task": {
            "name": task.name,
            "version": task.version,
            "family": task.family,
            "headline": (task.primary_metrics if task.checks is None else []) or list(task.scored_by),
            "noise": task.noise,
            **({"train_on": task.train_on} if task.train_on else {}),
            **({"attack": task.attack.method} if task.attack else {}),
            **({"checks": task.checks.name} if task.checks else {}),
        },
        "split": next(iter(scored)),
        "model": {**model.record, **partial_facts(misfits)},
        "seed": model.seed,
        "n": len(split),
        "data": {
            "source": facts.source,
            "location": facts.location,
            "fingerprint": hash_json(_fingerprints(used)),
            "limit": job.inputs.limit,
            "train_fraction": model.train_fraction,
            **({"k_shot": model.k_shot} if model.k_shot is not None else {}),
            "splits": {name: counts.as_json() for name, counts in facts.splits.items() if name in known} | scored,
            "trained_on": {name: split_facts["fingerprint"] for name, split_facts in model.trained_on.items()},
            "notes": list(dict.fromkeys([*facts.notes, *loaded.notes])),
        },
        "scores": score_all(task.scored_by, predicted.values, references, oracle),
        "predictions": {"file": PREDICTIONS, "sha256": prediction_hash(predicted.values)},
        "decoding": dict(predicted.settings),
        **({"label_map": dict(job.label_map)} if job.label_map else {}),
        "read": None if predicted.read is None else asdict(predicted.read),
        "runtime": model.runtime,
        "selection": model.selection,
        "machine": dict(cell.spec.get("machine", {})),
        "precision": _precision(model, job.learner, store),
        "cautions": [*model.cautions, *predicted.cautions],
        "lineage": model.lineage,
        **beside,
    }


def _precision(model: Model, learner: str, store: Store) -> dict[str, str]:
    """Of a learner that computes with floats; in what a model behind a server is computed is not known."""
    plugin = LEARNERS.get(learner)
    if plugin.exact or plugin.remote:
        return {}
    first = (model.lineage.get("folds") or [{}])[0]
    scoring = precision_of(read_settings(model.directory)) if plugin.in_folder and model.runtime else None
    return trained_precision({**model.lineage, **first}, store, scoring)


def say_nothing(fraction: float) -> None:
    """Of progress."""


@dataclass(frozen=True)
class Model:
    """The model that is scored: where it lies, its record, the seed it was made with, what it learned from."""

    directory: Path
    record: Mapping[str, Any]
    seed: int
    trained_on: Mapping[str, Mapping[str, Any]]
    lineage: Mapping[str, Any]
    train_fraction: float = 1.0
    k_shot: int | None = None
    selection: Mapping[str, Any] = field(default_factory=lambda: {"mode": "last"})
    shown: Split | None = None
    runtime: str | None = None
    cautions: Sequence[str] = ()


def _in_folds(facts: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Of a split that is scored in so many folds: what else was made in as many has equal fingerprints."""
    prints = {name: hash_json([facts[name], count]) for name in ("fingerprint", "clean") if name in facts}
    return {**facts, **prints}


def _of_folds(models: Sequence[Model]) -> dict[str, Any]:
    """The lineage of a score that the models of several folds made together."""
    cells = ("finetune", "compress")
    folds = [{kind: model.lineage[kind] for kind in cells if model.lineage.get(kind)} for model in models]
    shared = {kind: value for kind, value in models[0].lineage.items() if kind not in cells}
    return {**shared, "finetune": None, "folds": folds}


def _every_caution(models: Sequence[Model]) -> list[str]:
    return list(dict.fromkeys(caution for model in models for caution in model.cautions))


def _trained(source: str, store: Store) -> Model:
    fitted = store.read(source)
    assert isinstance(fitted, FitRecord)
    return Model(
        store.model(source),
        fitted.model.as_json(),
        fitted.seed,
        {name: split.as_json() for name, split in fitted.data.splits.items()},
        {fitted.kind: source, **fitted.lineage.as_json()},
        fitted.data.train_fraction,
        fitted.data.k_shot,
        (fitted.fit.selection or Selection(mode="last")).as_json(),
        runtime=fitted.model.runtime or fitted.fit.runtime,
        cautions=fitted.fit.cautions,
    )


def _shown(model: Model, job: ScoreJob, loaded: TaskData) -> Model:
    """A model that is not trained on the task, with the examples it is shown, drawn by the seed from the training
    split.
    """
    task = job.inputs.task
    model = replace(model, seed=job.seed)
    if not task.shots:
        return model
    shown = loaded.splits[task.train].draw(task.shots, job.seed)
    if len(shown) < task.shots:
        raise HarnessError(f"task {task.name}: its split {task.train} has only {len(shown)} examples to show")
    return replace(model, shown=shown, trained_on={task.train: job.inputs.facts.splits[task.train].as_json()})


def _untrained(job: ScoreJob, store: Store) -> Model:
    """A finished model, or a pretrained one that is shown examples."""
    task = job.inputs.task
    directory = untrained_folder(job, store)
    lineage: dict[str, Any] = {"finetune": None, **lineage_of(job.checkpoint, job.model["weights"], store)}
    record = {**content_of(job.model), "parameters": None}
    learner = LEARNERS.get(job.learner)
    lineage |= {"remote": REMOTE} if learner.remote else {}
    served = learner.in_folder and (task.shots is None or compressed_settings(directory) is not None)
    runtime = read_settings(directory).runtime if served else None
    return Model(directory, record, job.seed, {}, lineage, runtime=runtime)


def _refuse_not_finite(predicted: Predictions) -> None:
    import numpy as np

    outputs = predicted.columns.get("logits", predicted.values)
    if getattr(outputs, "dtype", np.dtype(object)).kind == "f" and not np.isfinite(outputs).all():
        bad = int((~np.isfinite(outputs)).sum())
        raise HarnessError(f"the model gives {bad} outputs that are not finite numbers")


def _fingerprints(used: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, str]]:
    return {role: {name: split["fingerprint"] for name, split in splits.items()} for role, splits in used.items()}
