"""The part of a plan that comes after fine-tuning: smaller models made of those that were fine-tuned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.compress.base import Target
from harness.compress.methods import Method, parse_method
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import RecipeSpec, TaskSpec
from harness.core.store import Store
from harness.modeling.heads import head_for
from harness.modeling.pretrained import find
from harness.pipeline.cells import Cell, Origin, model_identity, model_record, seeded
from harness.pipeline.planner.pretraining import corpus_facts, pretrain_cell

if TYPE_CHECKING:
    from harness.modeling.pretrained import Weights

MARK = "+"
"""Stands between the name of a model and what was done to it: `bert-tiny+int8`."""


def compressed_name(model: str, method: Method) -> str:
    return f"{model}{MARK}{method.label}"


class Compressions:
    """The methods of a run, and the students they teach.

    Raises:
        HarnessError: an unknown method or recipe, or options that cannot be.
    """

    def __init__(self, run: RunSpec, registry: Registry, store: Store) -> None:
        self.methods = [parse_method(text) for text in dict.fromkeys(run.compress)]
        self._run = run
        self._students: dict[str, tuple[RecipeSpec, Weights | None, Mapping[str, Any] | None]] = {}
        for method in self.methods:
            if method.recipe is not None and method.recipe not in self._students:
                recipe = registry.recipe(method.recipe)
                recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update=run.overrides())})
                if recipe.learner != "transformer":
                    raise HarnessError(
                        f"--compress {method.label}: the student {recipe.name} is no transformer, but {recipe.learner}"
                    )
                corpus = corpus_facts(recipe, store) if recipe.pretraining else None
                self._students[method.recipe] = recipe, find(recipe, store), corpus

    def applicable(
        self, task: TaskSpec, recipe: RecipeSpec, weights: Weights | None, architecture: str | None
    ) -> tuple[list[Method], list[tuple[Method, str]]]:
        """The methods by which a recipe's model of a task can be compressed, and of the others why not."""
        judged = [
            (method, self._not_applicable(method, task, recipe, weights, architecture)) for method in self.methods
        ]
        refused = [(method, reason) for method, reason in judged if reason is not None]
        return [method for method, reason in judged if reason is None], refused

    def _not_applicable(
        self, method: Method, task: TaskSpec, recipe: RecipeSpec, weights: Weights | None, architecture: str | None
    ) -> str | None:
        if recipe.learner != "transformer":
            return f"only transformers are compressed, not {recipe.learner}"
        if task.shots is not None:
            return "only models that are fine-tuned on a task are compressed"
        config = json.loads((weights.folder / "config.json").read_text(encoding="utf-8")) if weights else recipe.config
        head = recipe.options.get("head") or head_for(task, architecture)  # type: ignore[arg-type]
        return method.not_applicable(Target(str((config or {}).get("model_type")), str(head), task.family))

    def cells(self, methods: Sequence[Method], fit: Cell) -> list[list[Cell]]:
        """For each method the compress cell of a fine-tuned model, after the pretrain cell of its student where there
        is one.
        """
        return [self._cells(method, fit) for method in methods]

    def _cells(self, method: Method, fit: Cell) -> list[Cell]:
        student, cells = None, []
        if method.recipe is not None:
            recipe, weights, corpus = self._students[method.recipe]
            recipe = seeded(recipe, fit.seed)
            start = None
            if corpus is not None:
                start = pretrain_cell(recipe, method.recipe, corpus, self._run)
                cells.append(start)
            origin = Origin(weights, corpus, start)
            student = {
                "identity": model_identity(recipe, origin) | {"checkpoint": start.key if start else None},
                "record": model_record(recipe, method.recipe, origin, self._run),
                "recipe": recipe.model_dump(mode="json"),
                "pretrained": str(weights.folder) if weights else None,
                "checkpoint": start.key if start else None,
            }
        return [*cells, _compress(method, fit, student)]


def _compress(method: Method, fit: Cell, student: Mapping[str, Any] | None) -> Cell:
    name = compressed_name(fit.model, method)
    told = [method.identity, student["identity"] if student else None]
    spec: dict[str, Any] = {
        "kind": "compress",
        "task": fit.spec["task"],
        "model": fit.key,
        "method": method.identity,
        "seed": fit.seed,
        "code": method.code(),
    }
    flops = None if fit.flops is None else 0.1 * fit.flops
    if method.uses_data:
        spec["data"] = fit.spec["data"]
        spec["fraction"] = fit.fraction
    if student:
        spec["student"] = student["identity"]
        flops = fit.flops
    model = fit.job["model"] | {
        "name": name,
        "id": hash_json([fit.job["model"]["id"], *told]),
        "original": fit.job["model"]["name"],
        "original_id": fit.job["model"]["id"],
        "method": method.label,
    }
    job = {
        **fit.job,
        "method": method.label,
        "model": model,
        "student": dict(student) if student else None,
    }
    needs = (fit.key, *([student["checkpoint"]] if student and student["checkpoint"] else []))
    return Cell("compress", hash_json(spec), spec, job, needs, fit.task, name, fit.seed, None, flops, fit.fraction)
