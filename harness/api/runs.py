"""Runs from Python: train and score, score finished models, read what is there."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.core.launch_specs import PlanSpec
from harness.core.machine.results_place import results_folder
from harness.core.registry import Registry, load_registry, scoped_plugins
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.data.frames import Task, write_tasks
from harness.pipeline.cells import Event
from harness.pipeline.commands.ahead import imports_beside
from harness.pipeline.commands.plan import PlannedRun, plan_run
from harness.pipeline.commands.run import EXECUTORS, Prepared, perform, prepare
from harness.report.results import Results, RunResult, read_results, read_run
from harness.training.learners.objects import WrappedModel, forget, keep, spec_of

TOGETHER = "torchrun"
"""The executor for which every process of a program calls."""
ModelLike = str | os.PathLike[str] | WrappedModel
"""A model: its name in the registry, a folder, a hub id, or an object made by `wrap`."""
TaskLike = str | Task
"""A task: its name, or one made of data frames."""


@scoped_plugins()
def run(
    *,
    suite: str | Sequence[str] = (),
    task: TaskLike | Sequence[TaskLike] = (),
    models: ModelLike | Sequence[ModelLike] = (),
    data: str | os.PathLike[str] | None = None,
    seeds: int = 1,
    out: str | os.PathLike[str] = "results",
    executor: str = "inline",
    include: Sequence[str | os.PathLike[str]] = (),
    listen: Callable[[Event], None] = lambda event: None,
    **settings: Any,
) -> RunResult:
    """Train and score models on tasks; only what is missing in the results folder is computed.

    Args:
        suite: Names of suites.
        task: Names of tasks, tasks made of data frames, or both; the latter bring their own data.
        models: Model specs by name, folders, hub ids, or objects made by `wrap`, which are scored as they are. The
            suites' own where left out.
        data: `synthetic` (the default), `hub`, another source's name, or the path of a folder or file.
        seeds: How many seeds each model is trained with.
        out: The results folder.
        executor: `inline`: in this process, one cell after another. `local`: in worker processes; a script calls it
            below `if __name__ == "__main__":`. `torchrun`: in all processes of a script that `torchrun` has started,
            each of which calls this and gets the run. Or a plug-in's.
        include: Files and folders of further specs and plug-ins, which are registered for the time of the call.
        listen: Told of each event of a cell.
        **settings: Any other setting of `harness run`, by the name of its option: `limit`, `epochs`, `compress`,
            `noise`, `train_fractions`, `measure`, …

    Returns:
        The run. A cell that fails does not raise: see `RunResult.failures`.

    Raises:
        HarnessError: what is asked for cannot be: an unknown name, bad data, weights that are not there.
    """
    values, objects = _asked(suite, task, models, data, seeds, out, executor, include, settings)
    spec = parse(RunSpec, values, "run")
    if spec.executor != TOGETHER:
        return perform_run(spec, listen, objects=objects)
    executor_class: Any = EXECUTORS.get(TOGETHER)
    name = executor_class.together(lambda: perform_run(spec, listen, objects=objects).name, spec.include)
    return read_run(opened(spec)[0], name)


@scoped_plugins()
def plan(
    *,
    nodes: int = 1,
    gpus: int = 0,
    cores: int | None = None,
    memory: str | None = None,
    price: float | None = None,
    suite: str | Sequence[str] = (),
    task: TaskLike | Sequence[TaskLike] = (),
    models: ModelLike | Sequence[ModelLike] = (),
    data: str | os.PathLike[str] | None = None,
    seeds: int = 1,
    out: str | os.PathLike[str] = "results",
    include: Sequence[str | os.PathLike[str]] = (),
    **settings: Any,
) -> PlannedRun:
    """Simulate the schedule of a run on several machines, from what its cells are estimated to take; compute no cell.

    Args:
        nodes: Machines, all of one kind.
        gpus: GPUs of each; one worker a GPU.
        cores: Cores of each; this machine's where left out.
        memory: Of each, such as `64G`; not considered where left out.
        price: Of a node for an hour.
        suite: As `run` takes it.
        task: As `run` takes it.
        models: As `run` takes them.
        data: As `run` takes it.
        seeds: As `run` takes them.
        out: The results folder; what it has is not computed again.
        include: As `run` takes it.
        **settings: As `run` takes them.

    Returns:
        Makespan, critical path, utilization, cost, and the same on fewer nodes.

    Raises:
        HarnessError: as `run` does; a node that cannot carry one worker.
    """
    values, objects = _asked(suite, task, models, data, seeds, out, "local", include, {})
    wanted = {"nodes": nodes, "gpus": gpus, "cores": cores, "memory": memory, "price": price}
    asked = parse(PlanSpec, {name: value for name, value in wanted.items() if value is not None}, "plan")
    return perform_plan(parse(RunSpec, {**values, **settings}, "plan"), asked, objects=objects)


def evaluate(
    model: ModelLike | Sequence[ModelLike],
    *,
    task: TaskLike | Sequence[TaskLike] = (),
    suite: str | Sequence[str] = (),
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "results",
    executor: str = "inline",
    include: Sequence[str | os.PathLike[str]] = (),
    **settings: Any,
) -> RunResult:
    """Score finished models without training them.

    Args:
        model: Folders of fine-tuned models, of ours or as `save_pretrained` writes them, compressed ones in their own
            runtime; ONNX files with their tokenizer beside them; or objects made by `wrap`. Classes are matched to the
            task's by name.
        task: As `run` takes it.
        suite: As `run` takes it.
        data: As `run` takes it.
        out: The results folder.
        executor: As `run` takes it; objects need `inline`.
        include: Files and folders of further specs and plug-ins.
        **settings: As `run` takes them; `label_map` is a mapping of the model's names of classes to the task's.

    Returns:
        The run of these scores.

    Raises:
        HarnessError: as `run` does; a model that has to be trained first, or whose classes are not those of the task.
    """
    return run(
        suite=suite, task=task, models=model, data=data, out=out, executor=executor, include=include, train=False,
        **settings,
    )  # fmt: skip


def perform_run(
    spec: RunSpec,
    listen: Callable[[Event], None] = lambda event: None,
    announce: Callable[[Prepared], None] = lambda prepared: None,
    objects: Mapping[str, WrappedModel] | None = None,
) -> RunResult:
    """A run from its spec, as the command line asks for it.

    Args:
        spec: What is asked for.
        listen: Told of each event of a cell.
        announce: Told of the plan before anything is computed.
        objects: Models that are objects, by name.

    Returns:
        The run.

    Raises:
        HarnessError: as `run` does.
    """
    objects = objects or {}
    if objects and spec.executor != "inline":
        raise HarnessError(
            f"executor {spec.executor}: {next(iter(objects))} is an object of this process; use executor='inline'"
        )
    live = {wrapped.identity: wrapped for wrapped in objects.values()}
    keep(live)
    try:
        with imports_beside(spec) as settle:
            store, registry = opened(spec, objects)
            prepared = prepare(spec, registry, store)
            settle(prepared.missing)
        announce(prepared)
        name = perform(spec, prepared, store, listen)
    finally:
        forget(live)
    return read_run(store, name)


def perform_plan(
    spec: RunSpec,
    asked: PlanSpec,
    announce: Callable[[Prepared], None] = lambda prepared: None,
    objects: Mapping[str, WrappedModel] | None = None,
) -> PlannedRun:
    """A run simulated from its spec, as the command line asks for it.

    Args:
        spec: The run.
        asked: The machines.
        announce: Told of the plan before it is simulated.
        objects: Models that are objects, by name.

    Returns:
        The schedule.

    Raises:
        HarnessError: as `plan` does.
    """
    store, registry = opened(spec, objects or {})
    prepared = prepare(spec, registry, store, repair=False)
    announce(prepared)
    return plan_run(spec, asked, prepared, store)


def opened(spec: RunSpec, objects: Mapping[str, WrappedModel] | None = None) -> tuple[Store, Registry]:
    """The store of a run, made if it is not there, and all that its names may mean.

    Args:
        spec: The run.
        objects: Models that are objects, by name.

    Returns:
        The store and the registry.

    Raises:
        HarnessError: no store can be there, a file of specs is bad, or the name of an object is taken.
    """
    store = Store.open(results_folder(spec.out), spec.verify)
    return store, with_objects(load_registry(spec.include, store.includes()), objects or {})


def with_objects(registry: Registry, objects: Mapping[str, WrappedModel]) -> Registry:
    """The registry with objects as model specs. Raises HarnessError where a name is taken."""
    taken = sorted(set(objects) & set(registry.model_specs))
    if taken:
        raise HarnessError(f"wrap {taken[0]}: a model spec of that name is registered; choose another name")
    return registry.with_model_specs({name: spec_of(wrapped) for name, wrapped in objects.items()})


def load_results(out: str | os.PathLike[str] = "results", *runs: str) -> Results:
    """What runs left in a results folder.

    Args:
        out: The results folder.
        *runs: Names of runs, parts of them, or `latest`; all runs where none is named.

    Returns:
        Their scores.

    Raises:
        HarnessError: no such folder, or no such run.
    """
    return read_results(_existing(out), runs)


def _asked(
    suite: str | Sequence[str],
    task: TaskLike | Sequence[TaskLike],
    models: ModelLike | Sequence[ModelLike],
    data: str | os.PathLike[str] | None,
    seeds: int,
    out: str | os.PathLike[str],
    executor: str,
    include: Sequence[str | os.PathLike[str]],
    settings: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, WrappedModel]]:
    """The fields of a run's spec, and those of its models that are objects."""
    names, objects = _models(models)
    values: dict[str, Any] = {
        **settings,
        "suite": _list(suite),
        "model": names,
        "seeds": seeds,
        "out": os.fspath(out),
        "executor": executor,
        "include": [os.fspath(path) for path in include],
    }
    tasks = _list(task)
    made = [item for item in tasks if isinstance(item, Task)]
    values |= {
        "task": [item.name if isinstance(item, Task) else item for item in tasks],
        **({} if data is None else {"data": os.fspath(data)}),
    }
    if made:
        load_registry(values["include"])
        folder = str(write_tasks(made, Store.open(results_folder(out)).root / "cache"))
        values["include"].append(folder)
        if len(made) == len(tasks) and not values["suite"]:
            values["data"] = folder
    return values, objects


def _models(models: ModelLike | Sequence[ModelLike]) -> tuple[list[str], dict[str, WrappedModel]]:
    """The names of models, and those of them that are objects."""
    listed = _list(models)
    objects: dict[str, WrappedModel] = {}
    for model in listed:
        if isinstance(model, WrappedModel):
            if objects.get(model.name, model) is not model:
                raise HarnessError(f"wrap {model.name}: two objects of that name; give each one of its own")
            objects[model.name] = model
        elif not isinstance(model, str | os.PathLike):
            raise HarnessError(
                f"models: {type(model).__name__} is no name or folder; make a model of an object with harness.wrap"
            )
    return [item.name if isinstance(item, WrappedModel) else os.fspath(item) for item in listed], objects


def _list(values: Any) -> list[Any]:
    single = isinstance(values, str | os.PathLike | Task | WrappedModel) or not isinstance(values, Iterable)
    return [values] if single else list(values)


def _existing(out: str | os.PathLike[str]) -> Store:
    root = results_folder(out)
    if not (root / "runs").is_dir():
        raise HarnessError(f"{root} is no results folder: it has no folder 'runs'")
    return Store(root)
