"""The part of a plan that comes after fine-tuning: smaller models made of those that were fine-tuned, or are scored as
they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.compression.base import Target
from harness.compression.chain import LAYERS_AFTER_POOLING
from harness.compression.methods import Method, parse_method
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec, TaskSpec
from harness.core.store import Store
from harness.modeling.runtimes.base import WRITING_HEADS
from harness.modeling.weights.pretrained import Weights
from harness.modeling.weights.settings import FILE, head_of_class, item_head, model_config, read_settings
from harness.pipeline.cells import (
    Cell,
    CompressJob,
    FinetuneJob,
    Origin,
    StudentJob,
    code_of,
    machine_of,
    model_identity,
    model_record,
    seeded,
)
from harness.pipeline.planner.costing import compressing
from harness.pipeline.planner.going_on import start_of
from harness.pipeline.planner.model_plan import ModelPlan
from harness.pipeline.planner.precision import in_precision
from harness.pipeline.planner.pretraining import check_model, corpus_facts, pretrain_cell

MARK = "+"
"""Stands between the name of a model and what was done to it: `bert-tiny+int8`."""


def compressed_name(model: str, method: Method) -> str:
    return f"{model}{MARK}{method.label}"


class Compressions:
    """The methods of a run, and the students they teach.

    Raises:
        HarnessError: an unknown method or model spec, or options that cannot be.
    """

    def __init__(self, run: RunSpec, registry: Registry, store: Store) -> None:
        self.methods = [parse_method(text) for text in dict.fromkeys(run.compress)]
        self._run, self._store = run, store
        self._students: dict[str, tuple[ModelSpec, Weights | None, Mapping[str, Any] | None]] = {}
        for method in self.methods:
            if method.student_name is not None and method.student_name not in self._students:
                model_spec = registry.model_spec(method.student_name)
                training = run.training(model_spec.training)
                changes = {
                    "compile": training.compile is True,
                    "peft": model_spec.training.peft,
                }
                training = training.model_copy(update=changes)
                model_spec = model_spec.model_copy(update={"training": training})
                if model_spec.learner != "transformer":
                    raise HarnessError(
                        f"--compress {method.label}: the student {model_spec.name} is no transformer, but "
                        f"{model_spec.learner}"
                    )
                if model_spec.meta is not None:
                    raise HarnessError(
                        f"--compress {method.label}: the student {model_spec.name} is meta-trained; make its "
                        "checkpoint with `harness meta-train`, and name its folder"
                    )
                check_model(model_spec)
                corpus = corpus_facts(model_spec, store) if model_spec.pretraining else None
                weights = start_of(model_spec, store, run.allow_partial)
                model_spec = in_precision(model_spec, None if weights is None else weights.folder)
                self._students[method.student_name] = model_spec, weights, corpus

    def check_students(self, task: TaskSpec, labels: Sequence[str]) -> None:
        """Raises HarnessError for a student whose weights do not fit its config."""
        for name, (model_spec, weights, corpus) in self._students.items():
            if weights is not None:
                ModelPlan(name, model_spec, weights, corpus, self._store).check_weights(task, labels)

    def applicable(self, task: TaskSpec, model: ModelPlan) -> tuple[list[Method], list[tuple[Method, str]]]:
        """The methods by which a model of a task can be compressed, and of the others why not."""
        judged = [(method, _not_applicable(method, task, model)) for method in self.methods]
        refused = [(method, reason) for method, reason in judged if reason is not None]
        return [method for method, reason in judged if reason is None], refused

    def cells(self, methods: Sequence[Method], model: ModelPlan, fit: Cell) -> list[list[Cell]]:
        """For each method the compress cell of a fine-tuned model, after the pretrain cell of its student where there
        is one.
        """
        return [self._cells(method, model, fit) for method in methods]

    def untrained(self, methods: Sequence[Method], model: ModelPlan, origin: Origin) -> list[Cell]:
        """For each method the compress cell of a model that is not trained on a task: one for all tasks."""
        return [_compress_untrained(method, model, origin, self._run) for method in methods]

    def _cells(self, method: Method, model: ModelPlan, fit: Cell) -> list[Cell]:
        if method.student_name is None:
            return [_compress(method, model, fit, None, None)]
        model_spec, weights, corpus = self._students[method.student_name]
        model_spec = seeded(model_spec, fit.seed)
        start = None if corpus is None else pretrain_cell(model_spec, method.student_name, corpus, self._run, weights)
        origin = Origin(weights, corpus, start)
        identity = model_identity(model_spec, origin) | {"checkpoint": origin.checkpoint}
        student = StudentJob(model_spec, origin.folder, origin.checkpoint, origin.partial)
        return [*([start] if start else []), _compress(method, model, fit, student, identity)]


def _not_applicable(method: Method, task: TaskSpec, model: ModelPlan) -> str | None:
    model_spec = model.model_spec
    if model_spec.learner != "transformer":
        return f"only transformers are compressed, not {model_spec.learner}"
    config = model_spec.config
    head = model.head(task)
    if model.weights is not None:
        config = model_config(model.weights.folder)
    if task.shots is not None or model.finished:
        if method.uses_data:
            return "it learns from the examples of a task, and this model is not trained on one here"
        if model.weights is not None:
            wanted = head if task.shots is not None else None
            head, reason = _head_of_folder(model.weights, wanted)
            if reason is not None:
                return reason
        if method.reads_texts and head == "seq2seq-lm":
            return (
                "it looks at examples of a task, which an encoder–decoder that is not trained on one has none of here"
            )
    return method.not_applicable(Target(str((config or {}).get("model_type")), str(head), task.family))


def _head_of_folder(weights: Weights, wanted: str | None) -> tuple[str, str | None]:
    """The head of the model in a folder, and why it cannot be compressed; None where it can."""
    if not weights.folder.is_dir():
        return "", "a graph in a file is not compressed; give the folder of its original"
    architecture = next(iter(model_config(weights.folder).get("architectures") or []), "")
    foreign = not (weights.folder / FILE).exists()
    if wanted is not None and foreign and wanted not in (head_of_class(architecture), item_head(weights.folder)):
        return "", f"its folder is of a {architecture or 'model without a class'}, which has no head {wanted}"
    settings = read_settings(weights.folder)
    if settings.fitted.get("layers"):
        return "", LAYERS_AFTER_POOLING
    if settings.runtime != "torch":
        return "", f"it is compressed already and runs in {settings.runtime}"
    if wanted is not None and settings.head != wanted:
        return "", f"its head is {settings.head}, examples alone need {wanted}"
    return settings.head, None


def _compress(
    method: Method, model: ModelPlan, fit: Cell, student: StudentJob | None, student_identity: Mapping[str, Any] | None
) -> Cell:
    training = fit.job
    assert isinstance(training, FinetuneJob)
    spec: dict[str, Any] = {
        "kind": "compress",
        "task": fit.spec["task"],
        "model": fit.key,
        "method": method.identity,
        "seed": fit.seed,
        "code": code_of("compress", *method.plugins, *model.plugins(training.inputs.task)),
        "machine": fit.spec["machine"],
    }
    examples = method.uses_data or model.head(training.inputs.task) in WRITING_HEADS
    if examples:
        spec["data"] = fit.spec["data"]
        spec["fraction"] = fit.fraction
        spec |= {} if fit.k_shot is None else {"k_shot": fit.k_shot}
    if student_identity is not None:
        spec["student"] = dict(student_identity)
    job = CompressJob(
        source=fit.key,
        method=method.label,
        steps=tuple((step, options) for step, options in method.identity),
        model_spec=training.model_spec,
        model=_record(method, training.model, spec.get("student")),
        seed=fit.seed,
        fraction=fit.fraction,
        inputs=training.inputs if examples else None,
        student=student,
        fold=training.fold,
        k_shot=fit.k_shot,
    )
    needs = (fit.key, *([student.checkpoint] if student and student.checkpoint else []))
    name = str(job.model["name"])
    work = compressing(fit.work, examples, student is not None)
    return Cell(
        hash_json(spec), spec, job, needs, fit.task, name, fit.seed, None, work, fit.fraction, k_shot=fit.k_shot
    )


def _compress_untrained(method: Method, model: ModelPlan, origin: Origin, run: RunSpec) -> Cell:
    head = origin.weights and read_settings(origin.weights.folder).head
    heads = [("head", head)] if head else []
    spec: dict[str, Any] = {
        "kind": "compress",
        "model": origin.checkpoint or (origin.weights and origin.weights.identity),
        "method": method.identity,
        "seed": 0,
        "code": code_of("compress", *method.plugins, ("learner", model.model_spec.learner), *heads),
        **machine_of(model.model_spec, run.threads),
    }
    job = CompressJob(
        source=None,
        method=method.label,
        steps=tuple((step, options) for step, options in method.identity),
        model_spec=model.model_spec,
        model=_record(method, model_record(model.model_spec, model.name, origin, run), None),
        seed=0,
        pretrained=origin.folder,
        checkpoint=origin.checkpoint,
        partial=origin.partial,
    )
    needs = (origin.checkpoint,) if origin.checkpoint else ()
    return Cell(hash_json(spec), spec, job, needs, "", str(job.model["name"]), 0)


def _record(method: Method, original: Mapping[str, Any], student: Any) -> dict[str, Any]:
    """What a plan knows of the model that a method makes of another one."""
    return {
        **original,
        "name": compressed_name(original["name"], method),
        "id": hash_json([original["id"], method.identity, student]),
        "original": original["name"],
        "original_id": original["id"],
        "method": method.label,
    }
