"""The cells that tell clean examples from those that a model has learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.core import code_identity
from harness.core.cached_facts import KnownData
from harness.core.cell_records import CorpusFacts, CorpusPlace, FitRecord, PretrainRecord
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.store import Store
from harness.pipeline.cells import Cell, ContaminationJob, ScoreJob, TaskInput
from harness.pipeline.planner.fitting import ModelPlan
from harness.training.costs import Work
from harness.training.learners import LEARNERS
from harness.training.learners.base import RANDOM_WEIGHTS

LOOKING_SECONDS = 0.5
"""Of rows that are compared, and scores of both parts."""
BYTES_A_SECOND = 8e6
"""Of a corpus of text that is looked through."""
BYTES_AN_ITEM = 500
"""What an item of a corpus takes, as bytes of text."""
Portion = tuple[float, int | None]
Group = tuple[str, str, str, Portion]


def contamination_cells(
    cells: Sequence[Cell],
    models: Sequence[ModelPlan],
    facts: Mapping[str, KnownData],
    largest: int | None,
) -> Iterator[Cell]:
    """For each model whose corpus is known a cell a scored split, against that corpus; for each that is meta-trained
    one against the tasks of that; for each that is fine-tuned here one against its training split, where the two share
    rows.

    Args:
        cells: Those of the plan so far.
        models: Its models.
        facts: What the plan knows of the data, by task.
        largest: Bytes of a corpus that is looked through; None for any.
    """
    groups: dict[Group, list[Cell]] = {}
    for cell in cells:
        if isinstance(cell.job, ScoreJob) and cell.split is not None and not _is_adapted(cell.job):
            groups.setdefault((cell.model, cell.task, cell.split, (cell.fraction, cell.k_shot)), []).append(cell)
    for (name, task, split, portion), scores in groups.items():
        model = _made_of(name, models)
        if model is None:
            continue
        job = scores[0].job
        assert isinstance(job, ScoreJob)
        if (corpus := _corpus_of(model)) is not None:
            yield _cell(scores, split, portion, corpus, largest)
        if model.meta:
            yield _cell(scores, split, portion, tasks=model.meta)
        remembers = LEARNERS.get(job.learner).remembers and not job.folds
        if job.source is not None and remembers and task in facts and facts[task].in_train.get(split):
            yield _cell(scores, split, portion)


def _is_adapted(job: ScoreJob) -> bool:
    """Whether what is scored depends on the model, or is no example of the task: its own examples tell as much."""
    return job.inputs.task.attack is not None or job.inputs.task.checks is not None


def _corpus_of(model: ModelPlan) -> CorpusFacts | None:
    """What the model, or the one that it starts from, was pretrained on, where that is known."""
    settings = model.model_spec.pretraining
    if model.corpus is not None:
        asked = model.model_spec.options.get("corpus") if settings is None else None
        place = settings.model_dump(include=set(CorpusPlace.model_fields)) if settings else {"corpus": asked}
        pretrained = settings is None or settings.steps != 0
        return CorpusFacts.model_validate({**model.corpus, "asked": place}) if pretrained else None
    if model.weights is None or model.model_spec.options.get(RANDOM_WEIGHTS):
        return None
    return corpus_of_folder(model.weights.folder)


def corpus_of_folder(folder: Path) -> CorpusFacts | None:
    """What a model in a results folder was pretrained on, by its lineage; None where that is not known."""
    home = next((home for home in folder.resolve().parents if home.parent.parent.name == "cells"), None)
    if home is None:
        return None
    store = Store.around(home)
    with suppress(HarnessError):
        record = store.find(home.name)
        if isinstance(record, FitRecord) and record.lineage.pretrain:
            record = store.find(record.lineage.pretrain)
        if isinstance(record, PretrainRecord) and record.fit.steps != 0:
            return record.data
    return None


def _cell(
    scores: Sequence[Cell],
    split: str,
    portion: Portion,
    corpus: CorpusFacts | None = None,
    largest: int | None = None,
    tasks: tuple[TaskInput, ...] = (),
) -> Cell:
    """The cell that looks for a split in the corpus, in tasks or, without these, in the training split."""
    first = scores[0]
    assert isinstance(first.job, ScoreJob)
    keys = tuple(cell.key for cell in scores)
    inputs = first.job.inputs
    learned: dict[str, Any]
    if tasks:
        learned = {"tasks": [part.facts.splits[part.task.train].fingerprint for part in tasks]}
    elif corpus is not None:
        learned = {"corpus": corpus.fingerprint}
    else:
        learned = {"train": inputs.facts.splits[inputs.task.train].fingerprint}
    if corpus is not None and largest is not None and corpus.bytes > largest:
        learned["largest"] = largest
    spec = {
        "kind": "contamination",
        "scores": list(keys),
        "learned": learned,
        "code": code_identity.identity("harness.pipeline.steps.contamination"),
    }
    job = ContaminationJob(inputs, first.job.split, keys, first.job.model, corpus, largest, tasks)
    fraction, k_shot = portion
    scanned = 0 if corpus is None else corpus.bytes + BYTES_AN_ITEM * corpus.documents
    work = Work(seconds=LOOKING_SECONDS + scanned / BYTES_A_SECOND)
    return Cell(
        hash_json(spec), spec, job, keys, first.task, first.model, first.seed, split, work,
        fraction=fraction, k_shot=k_shot,
    )  # fmt: skip


def _made_of(name: str, models: Sequence[ModelPlan]) -> ModelPlan | None:
    """The model of that name, or the one that it is a compressed one of."""
    exact = next((model for model in models if model.name == name), None)
    return exact or next((model for model in models if name.startswith(f"{model.name}+")), None)
