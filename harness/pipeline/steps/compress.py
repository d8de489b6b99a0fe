"""The compress cell: a fine-tuned or a finished model to a smaller one, by a method or a chain of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.compression import Request, Student
from harness.compression.base import Examples
from harness.compression.chain import compress
from harness.compression.methods import Method, make_step
from harness.core.atomic import scratch_folder
from harness.core.cell_records import FitRecord, Selection
from harness.core.runs import content_of
from harness.core.store import Store
from harness.modeling.weights.loading import partial_facts, partial_weights
from harness.pipeline.cells import Cell, CompressJob, StudentJob, TaskInput
from harness.pipeline.steps.inputs import lineage_of, parts_of_fold, task_data, untrained_folder


def run(cell: Cell, store: Store, folder: Path, report: Callable[[float], None]) -> dict[str, Any]:
    """Compress, write `folder/model`, and return the record's body."""
    job = cell.job
    assert isinstance(job, CompressJob)
    steps = tuple(make_step(name, options, job.method) for name, options in job.steps)
    fitted = store.read(job.source, FitRecord) if job.source is not None else None
    source = store.model(job.source) if job.source is not None else untrained_folder(job, store)
    (folder / "model").mkdir()
    may_lack = job.partial or (job.student is not None and job.student.partial)
    with scratch_folder() as scratch, partial_weights(may_lack) as misfits:
        result = compress(
            Method(job.method, steps),
            Request(
                source=source,
                original=source,
                target=folder / "model",
                scratch=scratch,
                seed=job.seed,
                examples=_examples(job, job.inputs) if job.inputs else None,
                student=_student(job.student, store) if job.student else None,
                training=job.model_spec.training,
                report=report,
            ),
        )
    made = {"parameters": result["after"]["parameters"], "runtime": result["runtime"]}
    if fitted is None:
        lineage = {"finetune": None, **lineage_of(job.checkpoint, job.model["weights"], store)}
        model = {**content_of(job.model), **made, **partial_facts(misfits)}
        return {"model": model, "compression": result, "lineage": lineage}
    partial = fitted.model.partial_weights
    lacking = {"partial_weights": partial.as_json()} if partial else {}
    student = {"student": job.student.checkpoint} if job.student and job.student.checkpoint else {}
    return {
        "task": fitted.task.as_json(),
        "model": {**content_of(job.model), **made, **lacking, **partial_facts(misfits)},
        "data": fitted.data.as_json(),
        "fit": {"selection": (fitted.fit.selection or Selection(mode="last")).as_json()},
        "compression": result,
        "lineage": {**fitted.lineage.as_json(), "finetune": job.source, **student},
    }


def _examples(job: CompressJob, inputs: TaskInput) -> Examples:
    """What the model was fine-tuned on, the same fraction of it."""
    loaded = task_data(inputs)
    train = loaded.splits[inputs.task.train]
    if job.fold is not None:
        train, _ = parts_of_fold(train, job.fold, job.model_spec.training.select == "best")
    return Examples(inputs.task, loaded.labels, train.portion(job.fraction, job.k_shot, job.seed))


def _student(student: StudentJob, store: Store) -> Student:
    return Student(student.model_spec, store.model(student.checkpoint) if student.checkpoint else student.pretrained)
