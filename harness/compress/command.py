"""`harness compress`: one model folder to another, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.compress.base import Examples, Request, Student, Target
from harness.compress.methods import Method, make_step, parse_method, settings_of
from harness.errors import HarnessError
from harness.registry import Registry
from harness.runtimes.settings import read_settings
from harness.specs import TrainingSpec


def method_of(name: str, settings: Sequence[str]) -> Method:
    """A method or chain, or a single method with `key=value` settings. Raises HarnessError as `parse_method` does."""
    if not settings:
        return parse_method(name, "--method")
    values = settings_of(settings, "--set")
    if "|" in name:
        raise HarnessError("--set goes with a single method; in a chain write METHOD:key=value")
    label = f"{name}:{','.join(f'{key}={value}' for key, value in values.items())}"
    return Method(label, (make_step(name, values, "--set"),))


def perform(
    registry: Registry,
    checkpoint: Path,
    method: Method,
    output: Path,
    task: str | None = None,
    data: str | None = None,
    limit: int | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Compress a fine-tuned model's folder, or that of its cell, into `output`; returns what was done.

    A cell's record names the task, the data and the training; else `task` must, where the method uses examples.

    Raises:
        HarnessError: no model there, one the method cannot compress, no task or data it needs, or something in the
            way of the output.
    """
    from harness.compress.chain import compress

    if output.exists():
        raise HarnessError(f"--output {output}: it is already there; remove it or choose another folder")
    folder, record = _model_folder(checkpoint)
    settings = read_settings(folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    examples = _examples(registry, method, record, config, task, data, limit)
    reason = method.not_applicable(
        Target(config.get("model_type", ""), settings.head, examples.task.family if examples else None)
    )
    if reason is not None:
        raise HarnessError(f"model {folder}: {reason}")
    training = TrainingSpec.model_validate(record["spec"]["model"]["training"]) if record else TrainingSpec()
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        temporary.mkdir()
        with tempfile.TemporaryDirectory(prefix="harness-") as scratch:
            said = compress(
                method,
                Request(
                    source=folder, original=folder, target=temporary, scratch=Path(scratch), seed=seed,
                    examples=examples, student=_student(registry, method), training=training,
                ),
            )  # fmt: skip
        temporary.rename(output)
    except OSError as error:
        raise HarnessError(f"cannot write {output}: {error.strerror or error}") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return {"model": str(folder), "output": str(output), **said}


def _model_folder(checkpoint: Path) -> tuple[Path, dict[str, Any] | None]:
    """A model's folder and, where it lies in a finetune cell, the cell's record."""
    if not checkpoint.is_dir():
        raise HarnessError(f"model {checkpoint}: no such folder; give that of a fine-tuned model, or of its cell")
    folder = checkpoint / "model" if (checkpoint / "model").is_dir() else checkpoint
    record = folder.parent / "record.json"
    if not record.exists():
        return folder, None
    found = json.loads(record.read_text(encoding="utf-8"))
    return folder, found if found.get("kind") == "finetune" else None


def _examples(
    registry: Registry,
    method: Method,
    record: dict[str, Any] | None,
    config: dict[str, Any],
    name: str | None,
    source: str | None,
    limit: int | None,
) -> Examples | None:
    from harness import data

    if not method.uses_data:
        return None
    if name is None and record is None:
        raise HarnessError(f"--method {method.label}: it looks at training examples; name their task with --task")
    task = registry.task(name or record["task"]["name"])  # type: ignore[index]
    if source is None:
        own = record["data"] if record and task.name == record["task"]["name"] else None
        limit = limit or (own["limit"] if own else None)
        source = "embedded" if own is None else own["location"] if own["source"] == "folder" else own["source"]
    loaded = data.load(task, source, limit)
    outputs = len(config.get("id2label") or {0: "", 1: ""})
    if loaded.labels and outputs != len(loaded.labels):
        raise HarnessError(f"task {task.name} has {len(loaded.labels)} classes, but the model {outputs}")
    return Examples(task, loaded.labels, loaded.splits[task.train])


def _student(registry: Registry, method: Method) -> Student | None:
    from harness.pretrained import folder_of

    if method.recipe is None:
        return None
    recipe = registry.recipe(method.recipe)
    if recipe.pretraining is not None:
        raise HarnessError(
            f"--method {method.label}: the student {recipe.name} has to be pretrained first; "
            "`harness run --compress` does that, or name a checkpoint of it"
        )
    return Student(recipe, folder_of(recipe.pretrained, recipe.revision) if recipe.pretrained else None)
