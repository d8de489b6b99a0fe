"""The Python API: a function for each verb of the command line, from what is asked for to a typed result."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.compression.methods import Method
from harness.core.errors import HarnessError
from harness.core.machine.processes import in_this_process
from harness.core.registry import Registry, load_registry
from harness.core.run_spec import RunSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.data.frames import Task, write_tasks
from harness.gating import baseline as accepted_baselines
from harness.gating.engine import judge, with_compressed
from harness.gating.evidence import Evidence, of_run
from harness.gating.flips import flips_of, reader
from harness.gating.settings import GateSpec
from harness.gating.sources import resolve
from harness.measurement.protocol import HALF_WIDTH
from harness.measurement.results import budget_of
from harness.pipeline.cells import Event
from harness.pipeline.commands import compress as compressing
from harness.pipeline.commands import measure as measuring
from harness.pipeline.commands import pretrain as pretraining
from harness.pipeline.commands.run import Prepared, perform, prepare
from harness.report.results import (
    Checkpoint,
    Comparison,
    CompressedModel,
    GateReport,
    Measurement,
    Results,
    RunResult,
    measurement_of,
    read_results,
    read_run,
)
from harness.training.learners.objects import WrappedModel, forget, keep, recipe_of

ModelLike = str | os.PathLike[str] | WrappedModel
"""A model: its name in the registry, a folder, a hub id, or an object made by `wrap`."""
TaskLike = str | Task
"""A task: its name, or one made of data frames."""
Tell = Callable[[str], None]


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
        task: Names of tasks, or tasks made of data frames; the latter stand in a run of their own.
        models: Model specs by name, folders, hub ids, or objects made by `wrap`, which are scored as they are. The
            suites' own where left out.
        data: `synthetic` (the default), `hub`, another source's name, or the path of a folder or file.
        seeds: How many seeds each model is trained with.
        out: The results folder.
        executor: `inline`: in this process, one cell after another. `local`: in worker processes; a script calls it
            below `if __name__ == "__main__":`. Or a plug-in's.
        include: Files and folders of further specs and plug-ins.
        listen: Told of each event of a cell.
        **settings: Any other setting of `harness run`, by the name of its option: `limit`, `epochs`, `compress`,
            `noise`, `train_fractions`, `measure`, …

    Returns:
        The run. A cell that fails does not raise: see `RunResult.failures`.

    Raises:
        HarnessError: what is asked for cannot be: an unknown name, bad data, weights that are not there.
    """
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
    made = [one for one in tasks if isinstance(one, Task)]
    if made:
        if len(made) < len(tasks) or values["suite"] or data is not None:
            raise HarnessError(
                "run: tasks made of data frames bring their own data; run those with a name, and suites, apart"
            )
        folder = write_tasks(made, Store.open(Path(out)).root / "cache")
        values |= {"task": [one.name for one in made], "data": str(folder)}
        values["include"].append(str(folder))
    else:
        values |= {"task": tasks, **({} if data is None else {"data": os.fspath(data)})}
    spec = parse(RunSpec, values, "run")
    return perform_run(spec, listen, objects=objects)


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
            runtime; or objects made by `wrap`. Classes are matched to the task's by name.
        task: As `run` takes it.
        suite: As `run` takes it.
        data: As `run` takes it.
        out: The results folder.
        executor: As `run` takes it; objects need `inline`.
        include: Files and folders of further specs and plug-ins.
        **settings: As `run` takes them.

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
    registry = with_objects(load_registry([Path(path) for path in spec.include]), objects)
    store = Store.open(Path(spec.out))
    live = {one.identity: one for one in objects.values()}
    keep(live)
    try:
        prepared = prepare(spec, registry, store)
        announce(prepared)
        outcome = perform(spec, prepared, store, listen)
    finally:
        forget(live)
    return read_run(store, outcome.name)


def with_objects(registry: Registry, objects: Mapping[str, WrappedModel]) -> Registry:
    """The registry with objects as model specs. Raises HarnessError where a name is taken."""
    taken = sorted(set(objects) & set(registry.recipes))
    if taken:
        raise HarnessError(f"wrap {taken[0]}: a model spec of that name is registered; choose another name")
    recipes = {name: recipe_of(one) for name, one in objects.items()}
    return replace(registry, recipes={**registry.recipes, **recipes})


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


def pretrain(
    recipe: str,
    *,
    corpus: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "results",
    output: str | os.PathLike[str] | None = None,
    resume: bool = False,
    threads: int | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    tell: Tell = lambda line: None,
    **settings: Any,
) -> Checkpoint:
    """Turn raw text into a checkpoint that tasks can be fine-tuned from.

    Args:
        recipe: A model spec with a pretraining section.
        corpus: `synthetic`, a file or folder of text, or `hub:ID`; the model spec's where left out.
        out: The results folder.
        output: A folder to copy the checkpoint to.
        resume: Go on from the last checkpoint, to the same end.
        threads: Intra-op threads; as calibrated where left out.
        include: Files and folders of further specs and plug-ins.
        tell: Told how it goes, in lines.
        **settings: Any other setting of pretraining: `steps`, `tokens`, `budget`, `batch_size`, `learning_rate`, …

    Returns:
        The checkpoint.

    Raises:
        HarnessError: no such model spec, a setting out of range, a corpus that cannot be read, or a failed training.
    """
    registry = load_registry([Path(path) for path in include])
    store = Store.open(Path(out))
    target = None if output is None else Path(output)
    pretraining.check_output(target)
    changes = {**settings, **({} if corpus is None else {"corpus": os.fspath(corpus)})}
    cell = pretraining.plan(registry, store, recipe, changes)
    with in_this_process(threads or 1):
        record = pretraining.perform(cell, store, resume, (), tell, threads)
    return Checkpoint(pretraining.delivered(store, record["cell"], target), record)


def compress(
    model: str | os.PathLike[str],
    method: str | Method,
    output: str | os.PathLike[str],
    *,
    task: str | None = None,
    data: str | os.PathLike[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    include: Sequence[str | os.PathLike[str]] = (),
    **options: Any,
) -> CompressedModel:
    """Make a smaller or faster model of a fine-tuned one.

    Args:
        model: The folder of a fine-tuned model, or that of its cell in a results folder.
        method: A compressor, with its main option if need be, or a chain: `int8`, `prune-structured:0.5|int8`.
        output: The folder to write to; it must not exist.
        task: Whose examples a method looks at; known of a model that lies in a results folder.
        data: Where they are.
        limit: The first so many of them.
        seed: Of what is drawn.
        include: Files and folders of plug-ins.
        **options: Options of a single method.

    Returns:
        The compressed model.

    Raises:
        HarnessError: no model there, one the method cannot compress, an unknown method or option, or an output that
            is there already.
    """
    registry = load_registry([Path(path) for path in include])
    if isinstance(method, str):
        method = compressing.method_of(method, [f"{name}={value}" for name, value in options.items()])
    place = None if data is None else os.fspath(data)
    with in_this_process(1):
        record = compressing.perform(registry, Path(model), method, Path(output), task, place, limit, seed)
    return CompressedModel(Path(output), Path(record["model"]), method.label, record["runtime"], record)


def measure(
    base: str | os.PathLike[str],
    candidates: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    batch: int | Sequence[int] = (1, 8, 32),
    length: int | Sequence[int] = (32, 128, 512),
    task: str | None = None,
    data: str | os.PathLike[str] = "synthetic",
    threads: int = 1,
    device: str = "auto",
    margin: float | None = None,
    precision: float = HALF_WIDTH,
    budget: str | float | None = None,
    seed: int = 0,
    memory: bool = True,
    out: str | os.PathLike[str] = "results",
    include: Sequence[str | os.PathLike[str]] = (),
    tell: Tell = lambda line: None,
) -> Measurement:
    """Time models side by side, with memory and size. Starts processes, and wants the machine to itself.

    Args:
        base: The original: a folder, or `MODEL:TASK` of the latest run in the results folder.
        candidates: What is compared with it.
        batch: Rows of a call.
        length: Tokens of a row.
        task: Measure at this task's own lengths as well.
        data: Where its data is.
        threads: Intra-op threads of each process.
        device: `cpu`, `cuda`, or `auto`.
        margin: A difference that matters, 0.05: five per cent; the device's where left out.
        precision: Half the width of an interval that is narrow enough.
        budget: Seconds, or a time such as `5m`.
        seed: Of orders, token ids and the bootstrap.
        memory: Read peak memory as well.
        out: The results folder, where the result is kept.
        include: Files and folders of plug-ins.
        tell: Told how it goes, in lines.

    Returns:
        The measurement; `valid` says whether anything may be decided by it.

    Raises:
        HarnessError: a model that is nowhere or cannot be timed, or settings that make no sense.
    """
    registry = load_registry([Path(path) for path in include])
    root = Path(out)
    seconds = budget_of(budget) if isinstance(budget, str) else budget
    others = [candidates] if isinstance(candidates, str | os.PathLike) else candidates
    request = measuring.make_request(
        registry,
        Store(root) if root.is_dir() else None,
        [os.fspath(one) for one in (base, *others)],
        _numbers(batch),
        _numbers(length),
        task,
        os.fspath(data),
        threads=threads,
        device=device,
        margin=margin,
        precision=precision,
        budget=seconds,
        seed=seed,
        memory=memory,
        include=tuple(os.fspath(path) for path in include),
    )
    return measurement_of(measuring.measure(request, Store.open(root), tell))


def compare(
    base: str | RunResult,
    candidate: str | RunResult,
    *,
    out: str | os.PathLike[str] = "results",
    baselines: str | os.PathLike[str] = accepted_baselines.FOLDER,
    include: Sequence[str | os.PathLike[str]] = (),
    **settings: Any,
) -> Comparison:
    """Compare two runs on the same examples.

    Args:
        base: A run, by its result, name or `latest`; a results folder; or an accepted baseline's name or file.
        candidate: The same.
        out: The results folder in which names are looked up.
        baselines: The folder of accepted baselines.
        include: Files and folders of further specs and plug-ins.
        **settings: Settings of `GateSpec`: `margin`, `models`, …

    Returns:
        Drops with intervals, what could be detected, and which examples flipped.

    Raises:
        HarnessError: no such run, or nothing that both have.
    """
    one, other, spec = _sides(base, candidate, out, baselines, include, settings)
    if not spec.models:
        spec = spec.model_copy(update={"models": with_compressed(one, other)})
    report, pairs = judge(one, other, spec)
    if not pairs:
        raise HarnessError(f"nothing to compare: {'; '.join(report.reasons[:3]) or 'no task in common'}")
    texts = reader(other.data or one.data, [Path(path) for path in include])
    return Comparison(report, tuple(flip for pair in pairs for flip in flips_of(pair, texts)))


def gate(
    baseline: str | RunResult,
    candidate: str | RunResult,
    *,
    out: str | os.PathLike[str] = "results",
    baselines: str | os.PathLike[str] = accepted_baselines.FOLDER,
    include: Sequence[str | os.PathLike[str]] = (),
    **settings: Any,
) -> GateReport:
    """Judge a run against an accepted baseline or another run.

    Args:
        baseline: As `compare` takes its base.
        candidate: As `compare` takes it.
        out: The results folder in which names are looked up.
        baselines: The folder of accepted baselines.
        include: Files and folders of further specs and plug-ins.
        **settings: Settings of `GateSpec`: `margin`, `ok_margin`, `strict`, `models`, `seeds`, …

    Returns:
        The verdicts. What cannot be compared does not raise: `exit_code` is 4 then.

    Raises:
        HarnessError: no such run or baseline, or settings out of range.
    """
    one, other, spec = _sides(baseline, candidate, out, baselines, include, settings)
    report, pairs = judge(one, other, spec)
    texts = reader(other.data or one.data, [Path(path) for path in include])
    return GateReport(report, tuple(flip for pair in pairs for flip in flips_of(pair, texts)))


def _sides(
    base: str | RunResult,
    candidate: str | RunResult,
    out: str | os.PathLike[str],
    baselines: str | os.PathLike[str],
    include: Sequence[str | os.PathLike[str]],
    settings: Mapping[str, Any],
) -> tuple[Evidence, Evidence, GateSpec]:
    load_registry([Path(path) for path in include])
    sides = [_side(one, out, baselines) for one in (base, candidate)]
    return sides[0], sides[1], parse(GateSpec, dict(settings), "gate")


def _side(one: str | RunResult, out: str | os.PathLike[str], baselines: str | os.PathLike[str]) -> Evidence:
    if isinstance(one, RunResult):
        return of_run(Store(one.root), one.name)
    return resolve(os.fspath(one), Path(out), Path(baselines))


def _models(models: ModelLike | Sequence[ModelLike]) -> tuple[list[str], dict[str, WrappedModel]]:
    """The names of models, and those of them that are objects."""
    listed = _list(models)
    objects: dict[str, WrappedModel] = {}
    for one in listed:
        if isinstance(one, WrappedModel):
            if objects.get(one.name, one) is not one:
                raise HarnessError(f"wrap {one.name}: two objects of that name; give each one of its own")
            objects[one.name] = one
        elif not isinstance(one, str | os.PathLike):
            raise HarnessError(
                f"models: {type(one).__name__} is no name or folder; make a model of an object with harness.wrap"
            )
    return [one.name if isinstance(one, WrappedModel) else os.fspath(one) for one in listed], objects


def _list(values: Any) -> list[Any]:
    single = isinstance(values, str | os.PathLike | Task | WrappedModel) or not isinstance(values, Iterable)
    return [values] if single else list(values)


def _numbers(values: int | Sequence[int]) -> str:
    return ",".join(map(str, [values] if isinstance(values, int) else values))


def _existing(out: str | os.PathLike[str]) -> Store:
    root = Path(out)
    if not (root / "runs").is_dir():
        raise HarnessError(f"{root} is no results folder: it has no folder 'runs'")
    return Store(root)
