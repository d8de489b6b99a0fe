"""The compress cell: a fine-tuned model to a smaller one, by a method or a chain of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.compress import Request, Student
from harness.compress.base import Examples
from harness.compress.chain import compress
from harness.compress.methods import Method, make_step
from harness.core.specs import RecipeSpec, TaskSpec
from harness.core.store import Store
from harness.pipeline.steps.inputs import task_data


def run(
    spec: Mapping[str, Any], job: Mapping[str, Any], store: Store, folder: Path, report: Callable[[float], None]
) -> dict[str, Any]:
    """Compress, write `folder/model`, and return the record's body."""
    steps = tuple(make_step(name, options, job["method"]) for name, options in spec["method"])
    fitted = store.read(spec["model"])
    source = store.model(spec["model"])
    student = job["student"]
    (folder / "model").mkdir()
    with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
        said = compress(
            Method(job["method"], steps),
            Request(
                source=source,
                original=source,
                target=folder / "model",
                scratch=Path(scratch),
                seed=spec["seed"],
                examples=_examples(spec, job) if "data" in spec else None,
                student=_student(student, store) if student else None,
                training=RecipeSpec.model_validate(job["recipe"]).training,
                report=report,
            ),
        )
    model = job["model"] | {"parameters": said["after"]["parameters"], "runtime": said["runtime"]}
    return {
        "task": fitted["task"],
        "model": model,
        "data": fitted["data"],
        "fit": {"selection": fitted["fit"].get("selection", {"mode": "last"})},
        "compression": said,
        "lineage": {
            **fitted["lineage"],
            "finetune": spec["model"],
            **({"student": student["checkpoint"]} if student and student["checkpoint"] else {}),
        },
    }


def _examples(spec: Mapping[str, Any], job: Mapping[str, Any]) -> Examples:
    """What the model was fine-tuned on, the same share of it."""
    task = TaskSpec.model_validate(job["task"])
    loaded = task_data(task, job, [*spec["data"]])
    train = loaded.splits[task.train]
    if spec["fraction"] < 1:
        train = train.sample(spec["fraction"], spec["seed"])
    return Examples(task, loaded.labels, train)


def _student(student: Mapping[str, Any], store: Store) -> Student:
    checkpoint = store.model(student["checkpoint"]) if student["checkpoint"] else None
    pretrained = Path(student["pretrained"]) if student["pretrained"] else None
    return Student(RecipeSpec.model_validate(student["recipe"]), checkpoint or pretrained)
