"""The part of a plan that comes after fine-tuning: smaller models made of those that were fine-tuned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.compression.base import Target
from harness.compression.methods import Method, parse_method
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.machine.numerics import resolved_precision
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec, TaskSpec
from harness.core.store import Store
from harness.modeling.heads import head_for
from harness.modeling.weights.pretrained import Weights, find
from harness.modeling.weights.settings import model_config
from harness.pipeline.cells import Cell, CompressJob, FinetuneJob, Origin, StudentJob, code_of, model_identity, seeded
from harness.pipeline.planner.fitting import ModelPlan
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
            if method.recipe is not None and method.recipe not in self._students:
                recipe = registry.recipe(method.recipe)
                changes = run.overrides() | {"precision": resolved_precision(recipe.training.precision)}
                recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update=changes)})
                if recipe.learner != "transformer":
                    raise HarnessError(
                        f"--compress {method.label}: the student {recipe.name} is no transformer, but {recipe.learner}"
                    )
                check_model(recipe, store)
                corpus = corpus_facts(recipe, store) if recipe.pretraining else None
                self._students[method.recipe] = recipe, find(recipe, store, run.allow_partial), corpus

    def check_students(self, task: TaskSpec, labels: Sequence[str]) -> None:
        """Raises HarnessError for a student whose weights do not fit its config."""
        for name, (recipe, weights, corpus) in self._students.items():
            if weights is not None:
                ModelPlan(name, recipe, weights, corpus, self._store).check_weights(task, labels)

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

    def _cells(self, method: Method, model: ModelPlan, fit: Cell) -> list[Cell]:
        if method.recipe is None:
            return [_compress(method, model, fit, None, None)]
        recipe, weights, corpus = self._students[method.recipe]
        recipe = seeded(recipe, fit.seed)
        start = None if corpus is None else pretrain_cell(recipe, method.recipe, corpus, self._run)
        origin = Origin(weights, corpus, start)
        identity = model_identity(recipe, origin) | {"checkpoint": origin.checkpoint}
        student = StudentJob(recipe, origin.folder, origin.checkpoint, origin.partial)
        return [*([start] if start else []), _compress(method, model, fit, student, identity)]


def _not_applicable(method: Method, task: TaskSpec, model: ModelPlan) -> str | None:
    recipe = model.recipe
    if recipe.learner != "transformer":
        return f"only transformers are compressed, not {recipe.learner}"
    if task.shots is not None:
        return "only models that are fine-tuned on a task are compressed"
    config = recipe.config
    if model.weights is not None:
        config = model_config(model.weights.folder)
    head = recipe.options.get("head") or head_for(task, model.architecture)  # type: ignore[arg-type]
    return method.not_applicable(Target(str((config or {}).get("model_type")), str(head), task.family))


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
    flops = None if fit.flops is None else 0.1 * fit.flops
    if method.uses_data:
        spec["data"] = fit.spec["data"]
        spec["fraction"] = fit.fraction
    if student_identity is not None:
        spec["student"] = dict(student_identity)
        flops = fit.flops
    name = compressed_name(fit.model, method)
    original = training.model
    job = CompressJob(
        source=fit.key,
        method=method.label,
        steps=tuple((step, options) for step, options in method.identity),
        recipe=training.recipe,
        model={
            **original,
            "name": name,
            "id": hash_json([original["id"], method.identity, spec.get("student")]),
            "original": original["name"],
            "original_id": original["id"],
            "method": method.label,
        },
        seed=fit.seed,
        fraction=fit.fraction,
        inputs=training.inputs if method.uses_data else None,
        student=student,
    )
    needs = (fit.key, *([student.checkpoint] if student and student.checkpoint else []))
    return Cell(hash_json(spec), spec, job, needs, fit.task, name, fit.seed, None, flops, fit.fraction)
