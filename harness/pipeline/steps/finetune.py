"""The finetune cell: fit a model spec to a task's training split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import metrics
from harness.core.adversarial_spec import REST
from harness.core.atomic import scratch_folder
from harness.core.errors import HarnessError
from harness.core.predictions import Predictions, as_references
from harness.core.runs import content_of
from harness.core.store import Store
from harness.data.augment.expand import Augmenter, Expansion, refuse_changed_inputs
from harness.data.corpus import synthetic_sentences
from harness.data.frame import Split
from harness.data.unlabelled import read_unlabelled
from harness.modeling.weights.loading import partial_facts, partial_weights
from harness.modeling.weights.pretrained import refuse_changed
from harness.pipeline.cells import Cell, FinetuneJob
from harness.pipeline.steps.inputs import lineage_of, meta_note, parts_of_fold, task_data
from harness.training.curves import LOSSES
from harness.training.learners import LEARNERS, FitRequest


def run(cell: Cell, store: Store, folder: Path, report: Callable[[float], None]) -> dict[str, Any]:
    """Fit, write `folder/model`, and return the record's body."""
    job = cell.job
    assert isinstance(job, FinetuneJob)
    task, model_spec = job.inputs.task, job.model_spec
    loaded = task_data(job.inputs)
    train = loaded.splits[task.train]
    held_out = held_out_score = None
    selects = model_spec.training.select == "best"
    if job.fold is not None:
        train, held_out = parts_of_fold(train, job.fold, selects)
    whole, train = train, train.portion(job.fraction, job.k_shot, job.seed)
    augmenting = _augmenting(cell, train)
    if selects:
        held_out = held_out or loaded.splits[task.eval[0]]
        metric = metrics.get(task.metrics[0])
        sign = 1 if metric.greater_is_better else -1

        def held_out_score(predictions: Predictions) -> float:
            assert held_out is not None and held_out.labels is not None
            return sign * metric.score(predictions.values, as_references(held_out.labels, held_out.groups))

    (folder / "model").mkdir()
    if job.summon is not None:
        job.summon()
    with scratch_folder() as scratch, partial_weights(job.partial) as misfits:
        fitted = LEARNERS.get(model_spec.learner).fit(
            FitRequest(
                task=task,
                labels=loaded.labels,
                train=augmenting.first.split if augmenting else train,
                model_spec=model_spec,
                seed=job.seed,
                directory=folder / "model",
                scratch=scratch,
                pretrained=_weights(job, store),
                held_out=held_out,
                held_out_score=held_out_score,
                corpus=synthetic_sentences,
                losses=folder / LOSSES,
                report=report,
                unaugmented=train if augmenting else None,
                train_in=augmenting.train_in if augmenting else None,
                processes=job.processes,
                unlabelled=_unlabelled(cell, whole, train),
                checkpoints=None if job.processes is None else store.partial(cell.key),
            )
        )
    if augmenting is not None:
        fitted["augment"] = augmenting.first.facts.as_json()
        if notes := augmenting.first.facts.notes:
            fitted["cautions"] = [*fitted.get("cautions", ()), *notes]
    if (note := meta_note(job.checkpoint, task, job.inputs.facts, store)) is not None:
        fitted["cautions"] = [*fitted.get("cautions", ()), note]
    if held_out is not None and "selection" in fitted:
        fitted["selection"] |= {"split": task.eval[0], "metric": task.metrics[0]}
        if job.fold is None:
            fitted["selection"]["note"] = "the epoch was chosen on the split that is scored: the score is optimistic"
    facts = job.inputs.facts
    return {
        "task": {"name": task.name, "version": task.version, "family": task.family},
        "model": {**content_of(job.model), "parameters": fitted.get("parameters"), **partial_facts(misfits)},
        "data": {
            "source": facts.source,
            "location": facts.location,
            "limit": job.inputs.limit,
            "train_fraction": job.fraction,
            **({"k_shot": job.k_shot} if job.k_shot is not None else {}),
            "trained_on": len(train),
            "splits": {task.train: facts.splits[task.train].as_json()},
        },
        "fit": fitted,
        "lineage": lineage_of(job.checkpoint, job.model["weights"], store),
    }


@dataclass(frozen=True)
class Augmenting:
    """The rows of the first epoch, and those of each where they are others."""

    first: Expansion
    train_in: Callable[[int], Split] | None


def _augmenting(cell: Cell, train: Split) -> Augmenting | None:
    """What is trained on instead of `train`. Raises HarnessError where what an operation reads is not as planned."""
    job = cell.job
    assert isinstance(job, FinetuneJob)
    spec = job.model_spec.training.augment
    if spec is None:
        return None
    where = f"model {job.model['name']}: augment"
    refuse_changed_inputs(spec, cell.spec.get("augment", {}), where)
    augmenter = Augmenter(spec, job.inputs.task, job.seed, where)
    first = augmenter.expanded(train)
    if spec.each == "once":
        return Augmenting(first, None)
    return Augmenting(first, lambda epoch: first.split if epoch == 0 else augmenter.expanded(train, epoch).split)


def _unlabelled(cell: Cell, whole: Split, train: Split) -> Split | None:
    """Texts without labels that the training reads. Raises HarnessError where their file is not as planned."""
    job = cell.job
    assert isinstance(job, FinetuneJob)
    spec = job.model_spec.training.adversarial
    if spec is None or spec.unlabelled is None:
        return None
    if spec.unlabelled == REST:
        ids = set(train.ids)
        rest = whole.select([index for index, name in enumerate(whole.ids) if name not in ids])
        return replace(rest, labels=None)
    texts = read_unlabelled(job.inputs.task, spec.unlabelled)
    if texts.fingerprint != cell.spec["unlabelled"]:
        raise HarnessError(f"unlabelled: {spec.unlabelled} changed since the run was planned; run it again")
    return texts


def _weights(job: FinetuneJob, store: Store) -> Path | None:
    """The folder of the weights to start from: of a pretrain cell, or found when the run was planned."""
    if job.checkpoint:
        return store.model(job.checkpoint)
    if job.pretrained is not None:
        refuse_changed(job.pretrained, job.model["weights"], store)
    return job.pretrained
