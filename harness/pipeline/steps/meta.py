"""The meta cell: a checkpoint and several tasks to a checkpoint that adapts to others by few examples."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from harness.core.errors import DamagedFileError, HarnessError
from harness.core.lazy import lazy
from harness.core.runs import content_of
from harness.core.store import Store
from harness.modeling.weights.pretrained import refuse_changed
from harness.pipeline.cells import Cell, MetaJob, TaskInput
from harness.pipeline.steps.inputs import lineage_of, task_data
from harness.training.curves import LOSSES, write_losses
from harness.training.meta.episodes import TrainingTask

if TYPE_CHECKING:
    from pathlib import Path

encoder = lazy("harness.training.meta.encoder")


def run(cell: Cell, store: Store, folder: Path, report: Callable[..., None]) -> dict[str, Any]:
    """Meta-train, write `folder/model`, and return the record's body. A meta-training cut off before goes on."""
    job = cell.job
    assert isinstance(job, MetaJob)
    spec = job.model_spec.meta
    assert spec is not None
    start = _start(job, store)
    tasks = [_task(part) for part in job.inputs]

    def tell(step: int, loss: float) -> None:
        report(step / spec.steps, f"step {step}/{spec.steps}, loss {loss:.3f}")

    try:
        made = encoder.meta_train(start, tasks, spec, store.partial(cell.key), tell, job.resume)
    except DamagedFileError as error:
        shutil.rmtree(store.partial(cell.key), ignore_errors=True)
        raise HarnessError(f"{error}; it is removed, the next run starts this meta-training over") from None
    (folder / "model").mkdir()
    made.save(folder / "model")
    write_losses(folder / LOSSES, made.outcome.losses)
    return {
        "model": {**content_of(job.model), "parameters": made.encoder.num_parameters()},
        "method": spec.method,
        "tasks": [_facts(part, task) for part, task in zip(job.inputs, tasks, strict=True)],
        "dropped": list(made.dropped),
        "generator": made.generator is not None,
        "fit": {
            "steps": len(made.outcome.losses),
            "episodes": spec.episodes * len(made.outcome.losses),
            "tokens": made.tokens,
            "loss": made.outcome.losses[-1],
            "device": made.device,
            "resumed_from": made.outcome.resumed_from,
        },
        "lineage": lineage_of(job.checkpoint, job.model["weights"], store),
    }


def _start(job: MetaJob, store: Store) -> Path:
    if job.checkpoint is not None:
        return store.model(job.checkpoint)
    assert job.pretrained is not None
    refuse_changed(job.pretrained, job.model["weights"], store)
    return job.pretrained


def _task(inputs: TaskInput) -> TrainingTask:
    loaded = task_data(inputs)
    return TrainingTask(inputs.task, loaded.labels, loaded.splits[inputs.task.train])


def _facts(inputs: TaskInput, task: TrainingTask) -> dict[str, Any]:
    return {
        "name": task.name,
        "version": task.task.version,
        "source": inputs.facts.source,
        "fingerprint": task.train.fingerprint,
        "n": len(task.train),
        "classes": len(task.labels),
    }
