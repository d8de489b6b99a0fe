"""The part of a plan that comes between pretraining and fine-tuning: a checkpoint made of several tasks."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json
from harness.core.meta_spec import MetaSpec
from harness.core.registry import Registry
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec, TaskSpec
from harness.core.store import Store
from harness.modeling.heads import architecture_of
from harness.modeling.weights.pretrained import Weights
from harness.modeling.weights.settings import model_config
from harness.pipeline.cells import Cell, MetaJob, Origin, TaskInput, code_of, machine_of, model_record
from harness.pipeline.planner.costing import meta_training
from harness.pipeline.planner.data_facts import data_facts, split_facts, task_identity
from harness.training.meta.episodes import check_classes


def tasks_of(spec: MetaSpec, registry: Registry, where: str) -> list[TaskSpec]:
    """The tasks of a meta-training, those of suites and of files of variants each once.

    Raises:
        HarnessError: there is no such task or suite, or a task without classes.
    """
    names: dict[str, None] = {}
    for name in spec.tasks:
        suite = registry.suites.get(name) or registry.group(name)
        names |= dict.fromkeys(suite.tasks if suite is not None else [name])
    tasks = [registry.task(name, where) for name in names]
    for task in tasks:
        family = FAMILIES.get(task.family)
        if family.predictions != "labels" or family.choices is not None:
            raise HarnessError(
                f"{where}: episodes are of classes, and {task.name} ({task.family}) has none; leave it out"
            )
        if task.noise or task.shots is not None or task.train_on:
            raise HarnessError(f"{where}: {task.name} has no training examples of its own; leave it out")
    return tasks


def meta_inputs(model_spec: ModelSpec, registry: Registry, store: Store) -> tuple[TaskInput, ...]:
    """The data of a model spec's meta-training; nothing of one without.

    Raises:
        HarnessError: as `tasks_of` does, and for data that cannot be had.
    """
    spec, where = model_spec.meta, f"model spec {model_spec.name}: meta"
    if spec is None:
        return ()
    inputs = []
    for task in tasks_of(spec, registry, where):
        only_train = task.model_copy(update={"eval": [task.train]})
        facts = data_facts(only_train, spec.data, spec.limit, store)
        train = split_facts(task, task.train, facts)
        if not train.labelled:
            raise HarnessError(f"{where}: the split {task.train} of {task.name} has no labels")
        if train.draws:
            raise HarnessError(f"{where}: {task.name} has few examples, in published draws; leave it out")
        check_classes(task.name, train.classes.values(), spec)
        inputs.append(TaskInput(only_train, spec.data, spec.limit, facts, (task.train,)))
    return tuple(inputs)


def check_start(model_spec: ModelSpec, weights: Weights | None) -> None:
    """Raises HarnessError where the model is no encoder, whose output layer would be a task's."""
    if model_spec.meta is None:
        return
    config = model_spec.config if weights is None else model_config(weights.folder)
    if config is not None and architecture_of(config) != "encoder":
        raise HarnessError(
            f"model spec {model_spec.name}: meta trains encoders, and {config.get('model_type')} is none"
        )


def meta_cell(model_spec: ModelSpec, name: str, inputs: Sequence[TaskInput], origin: Origin, run: RunSpec) -> Cell:
    """The cell that makes a checkpoint of another one, which `origin` has."""
    spec = model_spec.meta
    assert spec is not None
    tasks = [task_identity(part.task, part.facts) for part in inputs]
    identity = {
        "kind": "meta",
        "meta": spec.identity(),
        "tasks": tasks,
        "data": [part.facts.splits[part.task.train].fingerprint for part in inputs],
        "checkpoint": origin.checkpoint or (origin.weights and origin.weights.identity),
        "seed": spec.seed,
        "code": code_of("meta", *dict.fromkeys(("family", part.task.family) for part in inputs)),
        **machine_of(model_spec, run.threads),
    }
    job = MetaJob(
        model_spec, tuple(inputs), model_record(model_spec, name, origin, run), origin.folder, origin.checkpoint
    )
    needs = (origin.checkpoint,) if origin.checkpoint else ()
    work = meta_training(model_spec, origin.folder, [part.facts.sizes[part.task.train] for part in inputs])
    return Cell(hash_json(identity), identity, job, needs, "", name, spec.seed, None, work)
