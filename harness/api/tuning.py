"""Training values searched from Python."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api.runs import opened
from harness.core.errors import HarnessError
from harness.core.registry import Registry, scoped_plugins
from harness.core.run_spec import RunSpec
from harness.core.search_records import TuneRecord
from harness.core.search_spec import TuneSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.pipeline.cells import Event
from harness.pipeline.commands import search_plan
from harness.pipeline.commands import tune as command
from harness.pipeline.commands.run import Prepared
from harness.report.outcomes import TunedModel
from harness.report.results import read_run


@scoped_plugins()
def tune(
    task: str,
    model: str | os.PathLike[str],
    *,
    space: str | os.PathLike[str] = "default",
    trials: int = 20,
    budget: str | float | None = None,
    output: str | os.PathLike[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    out: str | os.PathLike[str] = "results",
    executor: str = "inline",
    include: Sequence[str | os.PathLike[str]] = (),
    search: Mapping[str, Any] | None = None,
    tell: Callable[[str], None] = lambda line: None,
    **settings: Any,
) -> TunedModel:
    """Search the training values of a model on a part of a task's training examples, then train the best on all of them
    and score it once.

    Args:
        task: The task.
        model: A model spec's name, its file, a folder of weights or a hub id.
        space: A YAML file of ranges and choices by training value; `default`: around what a model of its size is
            trained with.
        trials: How many.
        budget: Nothing more is trained after so many seconds, or a time such as `10m`.
        output: A file for the model spec with the best values.
        data: As `run` takes it.
        out: The results folder.
        executor: As `run` takes it.
        include: Files and folders of further specs and plug-ins.
        search: Further settings of the search: `sampler`, `batch`, `rungs`, `keep`, `held_out`, `search_seed`.
        tell: Told of each trial, in a line.
        **settings: As `run` takes them.

    Returns:
        The trials, the best values, and the run in which they were scored.

    Raises:
        HarnessError: optuna is not installed, a name that nobody knows, a space that makes no sense, or no trial that
            could be trained.
    """
    wanted = {
        **(search or {}), "space": os.fspath(space), "trials": trials,
        "budget": None if budget is None else str(budget), "output": None if output is None else Path(output),
    }  # fmt: skip
    values = {
        **settings, "task": [task], "model": [os.fspath(model)], "out": os.fspath(out), "executor": executor,
        "include": [os.fspath(path) for path in include], **({} if data is None else {"data": os.fspath(data)}),
    }  # fmt: skip
    return perform_tune(parse(RunSpec, values, "tune"), parse(TuneSpec, wanted, "tune"), tell=tell)


def perform_tune(
    run: RunSpec,
    search: TuneSpec,
    listen: Callable[[Event], None] = lambda event: None,
    begin: Callable[[Prepared], None] = lambda prepared: None,
    tell: Callable[[str], None] = lambda line: None,
) -> TunedModel:
    """A search from its specs, as the command line asks for it.

    Args:
        run: One task, one model, and how cells are computed.
        search: How the search goes.
        listen: Told of each event of a cell.
        begin: Told of what is computed, once for each batch and rung.
        tell: Told of each trial, in a line.

    Returns:
        The search.

    Raises:
        HarnessError: as `tune` does.
    """
    store, registry = _opened(run)
    searched = command.tune(run, search, registry, store, listen, begin, tell)
    record = store.read(searched.cell, TuneRecord)
    return TunedModel(read_run(store, searched.run), store.folder(searched.cell) / "winner.yaml", record)


def plan_tune(run: RunSpec, search: TuneSpec) -> search_plan.Planned:
    """What a search would do, and what that takes, from its specs. Raises HarnessError as `tune` does."""
    store, registry = _opened(run)
    return search_plan.plan_search(run, search, registry, store)


def _opened(run: RunSpec) -> tuple[Store, Registry]:
    if len(run.task) != 1 or len(run.model) != 1 or run.suite or run.corpus or run.from_scratch or not run.train:
        raise HarnessError("a search is of one task and one model, which is trained")
    return opened(run)
