"""A cell's data and weights, read again in the worker and checked against what the plan saw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness import data
from harness.core.cached_facts import KnownData
from harness.core.cell_records import CompressRecord, FitRecord, PretrainRecord
from harness.core.errors import HarnessError
from harness.core.hashing import canonical_json
from harness.core.meta_records import MetaRecord
from harness.core.specs import TaskSpec
from harness.core.store import Store
from harness.data.frame import Split, TaskData
from harness.modeling.weights.pretrained import refuse_changed
from harness.pipeline.cells import CompressJob, ScoreJob, TaskInput
from harness.training.learners import LEARNERS


def task_data(inputs: TaskInput) -> TaskData:
    """The task's data with all its splits, kept for the next cell of the same task.

    Raises:
        HarnessError: a split the cell uses is not what was planned: the files changed in between.
    """
    task = inputs.task
    known = tuple(inputs.facts.splits)
    state = data.state(task, inputs.source)
    read = _load if state else _load.__wrapped__
    loaded = read(canonical_json(task.model_dump(mode="json")), inputs.source, inputs.limit, known, state)
    for name in inputs.splits:
        if loaded.splits[name].fingerprint != inputs.facts.splits[name].fingerprint:
            raise HarnessError(
                f"task {task.name}: the split {name} in {loaded.location} changed since the run was planned; "
                "run it again"
            )
    return loaded


def parts_of_fold(train: Split, fold: tuple[int, int], selects: bool) -> tuple[Split, Split | None]:
    """What the model of a fold is trained on, and the fold after it where an epoch is to be chosen by one."""
    number, count = fold
    parts = train.folds(count)
    chosen_by = parts[(number + 1) % count] if selects else ()
    held_out = train.select(chosen_by) if selects else None
    return train.without([*parts[number], *chosen_by]), held_out


def rows_of_folds(inputs: TaskInput, split: Split, name: str, count: int) -> tuple[tuple[int, ...], ...]:
    """The rows of each fold of a split; under noise those of the same rows without it, which the models were trained
    by. Raises HarnessError where those changed since the run was planned.
    """
    if inputs.task.noise is None:
        return split.folds(count)
    clean = task_data(replace(inputs, task=inputs.task.clean, splits=())).splits[name]
    if clean.fingerprint != split.clean:
        raise HarnessError(f"task {inputs.task.name}: the split {name} changed since the run was planned; run it again")
    return clean.folds(count)


def lineage_of(checkpoint: str | None, weights: str | None, store: Store) -> dict[str, str | None]:
    """The cells that a model's checkpoint came from, and the hash of the weights that these started from."""
    if checkpoint is None:
        return {"pretrain": None, "weights": weights}
    record = store.read(checkpoint)
    if isinstance(record, MetaRecord):
        return {**record.lineage.as_json(), "meta": checkpoint}
    return {"pretrain": checkpoint, "weights": weights}


def trained_precision(lineage: Mapping[str, Any], store: Store, scoring: str | None) -> dict[str, str]:
    """The precision that a model was pretrained, trained and is scored in, as far as its cells' records say."""
    trained: dict[str, str | None] = {"scoring": scoring}
    for kind in ("pretrain", "student", "finetune", "compress"):
        if not (key := lineage.get(kind)):
            continue
        record = store.read(key)
        if isinstance(record, PretrainRecord):
            trained["pretraining"] = record.fit.precision
        elif isinstance(record, CompressRecord):
            for step in record.compression.steps:
                trained["training"] = step.fit.precision or trained.get("training")
        elif isinstance(record, FitRecord):
            trained["training"] = record.fit.precision
    return {name: precision for name, precision in trained.items() if precision}


def meta_note(checkpoint: str | None, task: TaskSpec, facts: KnownData, store: Store) -> str | None:
    """What a reader of a score must know where the model was meta-trained on the task, or on a split of its data; None
    where it was not.
    """
    record = store.read(checkpoint) if checkpoint is not None else None
    if not isinstance(record, MetaRecord):
        return None
    splits = {split.fingerprint: name for name, split in facts.splits.items()}
    for trained in record.tasks:
        if trained.fingerprint in splits:
            split = splits[trained.fingerprint]
            return f"The checkpoint was meta-trained on {split} of {task.name}, all {trained.n:,} examples"
        if trained.name == task.clean.name:
            return f"The checkpoint was meta-trained on {task.name}, of other data"
    return None


def untrained_folder(job: ScoreJob | CompressJob, store: Store) -> Path:
    """Where the model of a cell lies that is not trained on a task: in a pretrain cell, or in the folder it was found
    in. Raises HarnessError where that changed.
    """
    if job.checkpoint:
        return store.model(job.checkpoint)
    assert job.pretrained is not None
    if LEARNERS.get(job.model["learner"]).in_folder:
        refuse_changed(job.pretrained, job.model["weights"], store)
    return job.pretrained


@lru_cache(maxsize=2)
def _load(task: str, source: str, limit: int | None, splits: tuple[str, ...], state: str) -> TaskData:
    """`state` tells data that changed within the life of a process from what was read before."""
    return data.load(TaskSpec.model_validate_json(task), source, limit, splits)
