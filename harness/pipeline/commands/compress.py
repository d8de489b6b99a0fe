"""`harness compress`: one model folder to another, whole or not at all."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness import data
from harness.compression.base import Examples, Request, Student, Target
from harness.compression.chain import compress
from harness.compression.methods import Method, make_step, parse_method, settings_of
from harness.compression.recipe import labelled, method_of_recipe
from harness.core.atomic import output_folder, scratch_folder
from harness.core.cell_records import CompressRecord, FitRecord
from harness.core.checksums import refuse_damaged, write_sums
from harness.core.errors import HarnessError
from harness.core.facts import facts_from
from harness.core.hashing import fingerprint_of, hash_json
from harness.core.machine.environment import describe
from harness.core.registry import Registry, folder_name
from harness.core.source_names import SYNTHETIC
from harness.core.specs import TaskSpec, TrainingSpec
from harness.core.store import Store, read_record
from harness.core.strict_spec import parse
from harness.data.frame import TaskData
from harness.data.source import data_argument
from harness.exchange.trackers.base import TrackedRun
from harness.modeling.weights.loading import partial_weights
from harness.modeling.weights.pretrained import folder_of
from harness.modeling.weights.settings import model_config, read_settings
from harness.pipeline.tracking import Report, Tracking, check_trackers, public, values_of


def method_of(name: str | None, settings: Sequence[str], recipe: Path | None = None) -> Method:
    """A method or chain, or a single method with `key=value` settings, or that of a model spec file.

    Raises:
        HarnessError: as `parse_method` and `method_of_recipe` do; or neither a name nor a file.
    """
    values = settings_of(settings, "--set")
    if recipe is not None:
        return method_of_recipe(recipe, name, values)
    if name is None:
        raise HarnessError("compress needs a method: --method NAME, or --recipe FILE")
    if not settings:
        return parse_method(name, "--method")
    if "|" in name:
        raise HarnessError("--set goes with a single method; in a chain write METHOD:key=value")
    return Method(labelled(name, values), (make_step(name, values, "--set"),))


RECORD = "compression-record.json"
"""What was done to what, beside a model that no store keeps."""


@dataclass(frozen=True)
class Prepared:
    """A checkpoint that can be compressed: the request but for where to write, and its task's data where that was
    asked for.
    """

    request: Request
    data: TaskData | None


def perform(
    registry: Registry,
    checkpoint: Path,
    method: Method,
    output: Path,
    task: str | None = None,
    data: str | None = None,
    limit: int | None = None,
    seed: int = 0,
    allow_partial: bool = False,
    trackers: Sequence[str] = (),
) -> dict[str, Any]:
    """Compress a fine-tuned model's folder, or that of its cell, into `output`; returns what was done.

    `allow_partial`: with random numbers for weights that do not fit. `trackers` are told of the result.

    A cell's record names the task, the data and the training; else `task` must, where the method uses examples.

    Raises:
        HarnessError: no model there, one the method cannot compress, no task or data it needs, or something in the
            way of the output.
    """

    refuse_existing(output)
    check_trackers(trackers)
    started = time.time()
    prepared = prepare(registry, checkpoint, method, method.uses_data, task, data, limit, seed)
    with (
        output_folder(output) as folder,
        scratch_folder() as scratch,
        partial_weights(allow_partial) as misfits,
    ):
        facts = compress(method, replace(prepared.request, target=folder, scratch=scratch))
        if misfits:
            facts["notes"].append(f"Weights that did not fit are random: {misfits[0]}.")
        record = _record(prepared, method, facts, seed, started)
        (folder / RECORD).write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_sums(folder)
    Tracking(trackers, Store.around(checkpoint).root).report(_report(record, method, prepared))
    return {"model": str(prepared.request.source), "output": str(output), **facts}


def _report(record: Mapping[str, Any], method: Method, prepared: Prepared) -> Report:
    """What trackers get of a compression that no store keeps: one a moment, as timings are."""
    name = folder_name(prepared.request.source)
    task = record["task"]["name"] if record["task"] else ""
    group = "/".join(filter(None, (task, name)))
    config = {"task": task, "model": name, "method": method.label, "seed": record["seed"], "kind": "compress"}
    config |= {"spec": public({"data": record["data"], "lineage": record["lineage"]})}
    run = TrackedRun(
        hash_json([config, record["timings"], time.time()]),
        f"{group}/seed-{record['seed']}/compress-{method.label}",
        group,
        "compress",
        config,
    )
    known = {key: value for key, value in record.items() if key not in ("task", "data")}
    return Report(run, values_of(facts_from(CompressRecord, known, "what was done")))


def _record(prepared: Prepared, method: Method, facts: Mapping[str, Any], seed: int, started: float) -> dict[str, Any]:
    """What the record of a run's cell says as well: from what, by what, on which data, where. It names no place."""
    source, data = prepared.request.source, prepared.data
    examples = prepared.request.examples
    return {
        "kind": "compress",
        "task": None if examples is None else {"name": examples.task.name, "version": examples.task.version},
        "model": {"original": folder_name(source), "method": method.label, "runtime": facts["runtime"]},
        "data": None if data is None else {"source": data.source, "splits": data.fingerprints()},
        "seed": seed,
        "compression": facts,
        "lineage": {"weights": fingerprint_of(source)},
        "environment": describe(1),
        "timings": {"seconds": round(time.time() - started, 3)},
    }


def prepare(
    registry: Registry,
    checkpoint: Path,
    method: Method,
    needs_data: bool,
    task: str | None,
    data: str | None,
    limit: int | None,
    seed: int,
) -> Prepared:
    """Raises HarnessError for no model there, one the method cannot compress, or no task or data it needs."""
    source, record = _model_folder(checkpoint)
    settings = read_settings(source)
    config = model_config(source)
    examples, loaded = None, None
    if needs_data:
        spec, loaded = _data_of(registry, method, record, task, data, limit)
        if spec.train not in loaded.splits:
            raise HarnessError(
                f"--method {method.label}: it looks at training examples, and {spec.name} ({spec.family}) has none"
            )
        outputs = len(config.get("id2label") or {0: "", 1: ""})
        if (
            settings.head in ("sequence-classification", "token-classification")
            and loaded.labels
            and outputs != len(loaded.labels)
        ):
            raise HarnessError(f"task {spec.name} has {len(loaded.labels)} classes, but the model {outputs}")
        examples = Examples(spec, loaded.labels, loaded.splits[spec.train])
    reason = method.not_applicable(
        Target(config.get("model_type", ""), settings.head, examples.task.family if examples else None)
    )
    if reason is not None:
        raise HarnessError(f"model {source}: {reason}")
    training = parse(TrainingSpec, dict(record.training), f"the record of {source}") if record else TrainingSpec()
    _without_progress_bars()
    request = Request(
        source=source, original=source, target=Path(), scratch=Path(), seed=seed,
        examples=examples, student=_student(registry, method), training=training,
    )  # fmt: skip
    return Prepared(request, loaded)


def refuse_existing(output: Path) -> None:
    if output.exists():
        raise HarnessError(f"--output {output}: it is already there; remove it or choose another folder")


def _without_progress_bars() -> None:
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def _model_folder(checkpoint: Path) -> tuple[Path, FitRecord | None]:
    """A model's folder and, where it lies in a finetune cell, the cell's record."""
    if not checkpoint.is_dir():
        raise HarnessError(f"model {checkpoint}: no such folder; give that of a fine-tuned model, or of its cell")
    folder = checkpoint / "model" if (checkpoint / "model").is_dir() else checkpoint
    refuse_damaged(folder)
    record = folder.parent / "record.json"
    if not record.exists():
        return folder, None
    content = read_record(record)
    return folder, content if isinstance(content, FitRecord) and not isinstance(content, CompressRecord) else None


def _data_of(
    registry: Registry,
    method: Method,
    record: FitRecord | None,
    name: str | None,
    source: str | None,
    limit: int | None,
) -> tuple[TaskSpec, TaskData]:
    """The task and its data: as the record of the model has them, where nothing else is asked for."""

    if name is None and record is None:
        raise HarnessError(f"--method {method.label}: it looks at examples; name their task with --task")
    known = record.task.name if record is not None else ""
    task = registry.task(name or known)
    recorded = record.data if record is not None and source is None and task.name == known else None
    if source is None:
        limit = limit or (recorded.limit if recorded else None)
        source = SYNTHETIC if recorded is None else data_argument(recorded.source, recorded.location)
    loaded = data.load(task, source, limit)
    if recorded and record:
        train = loaded.splits[task.train].portion(recorded.train_fraction, recorded.k_shot, record.seed)
        loaded = replace(loaded, splits={**loaded.splits, task.train: train})
    return task, loaded


def _student(registry: Registry, method: Method) -> Student | None:
    if method.student_name is None:
        return None
    model_spec = registry.model_spec(method.student_name)
    if model_spec.pretraining is not None:
        raise HarnessError(
            f"--method {method.label}: the student {model_spec.name} has to be pretrained first; "
            "`harness run --compress` does that, or name a checkpoint of it"
        )
    return Student(model_spec, folder_of(model_spec.pretrained, model_spec.revision) if model_spec.pretrained else None)
