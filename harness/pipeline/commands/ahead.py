"""What workers import is begun while a run is planned: imports take seconds, and planning does not need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from harness.core.endpoints import PREFIX
from harness.core.errors import HarnessError
from harness.core.installation import builtin_folders
from harness.core.machine.calibrate import calibration, is_calibrated
from harness.core.machine.results_place import folder_for
from harness.core.run_records import RunManifest
from harness.core.run_spec import EXECUTOR_SETTINGS, RunSpec
from harness.core.spec_files import specs_of
from harness.core.store import Store
from harness.pipeline.cells import Cell
from harness.pipeline.commands.run import EXECUTORS, processes_of
from harness.pipeline.executors.copying import imports_of
from harness.training.learners import LEARNERS

USUAL = "transformer"
"""The learner of a model that is known when the specs are read, and not before."""
RUNS_READ = 8
"""How many of the last runs of a results folder are looked at."""
ELSEWHERE = {"suite", "task", "model", "out", "executor", "workers", "verify", "track", *EXECUTOR_SETTINGS}
"""Settings of a run on which its results do not depend, and those that are compared by name."""


@contextmanager
def imports_beside(run: RunSpec) -> Iterator[Callable[[Sequence[Cell]], None]]:
    """Within it a run is planned while a process imports what its workers will need, of which they are then copies.

    Nothing is begun where the last runs say that the results are there, where no model is known to need it, or on a
    machine with a GPU or whose probe is still to come. What was begun in vain is ended at once.

    Args:
        run: What is asked for.

    Yields:
        What is told of the cells that are to be computed.
    """
    executor = EXECUTORS.get(run.executor) if run.executor in EXECUTORS.names() else None
    begun, are_needed = (_begun(run, executor) if hasattr(executor, "begin") else set[int]()), False

    def settle(missing: Sequence[Cell]) -> None:
        nonlocal are_needed
        are_needed = bool(imports_of(missing))

    try:
        yield settle
    finally:
        if begun and not are_needed:
            executor.withdraw(begun)  # type: ignore[union-attr]


def _begun(run: RunSpec, executor: object) -> set[int]:
    modules = {module for learner in _learners(run.model) for module in LEARNERS.get(learner).imports}
    if not modules or not is_calibrated() or _is_there(run):
        return set()
    measured = calibration()
    if measured["cuda_devices"]:
        return set()
    threads, _ = processes_of(run, measured)
    begun: set[int] = executor.begin(threads, modules)  # type: ignore[attr-defined]
    return begun


def _learners(models: Sequence[str]) -> set[str]:
    """The learners of models, as far as names tell before all specs are read; none named are those of the suites."""
    folder = builtin_folders()[-1]
    learners = set()
    for name in models or [USUAL]:
        file = folder / f"{name}.yaml"
        specs = []
        with suppress(HarnessError, OSError, ValueError):
            specs = [spec for _, spec in specs_of(file)] if file.parent == folder and file.is_file() else []
        learners |= {spec.learner for spec in specs} or ({"endpoint"} if name.startswith(PREFIX) else {USUAL})
    return learners


def _is_there(run: RunSpec) -> bool:
    """Whether the last runs of the folder say that they have computed all this."""
    root = folder_for(run.out)
    if not (root / "runs").is_dir():
        return False
    store = Store(root)
    for name in reversed(store.run_names()[-RUNS_READ:]):
        with suppress(HarnessError):
            if _covers(store.run(name), run):
                return True
    return False


def _covers(manifest: RunManifest, run: RunSpec) -> bool:
    asked, of_run = manifest.spec, run.model_dump(mode="json")
    if manifest.status != "done" or any(asked.get(name) != of_run[name] for name in of_run.keys() - ELSEWHERE):
        return False
    suites = {suite.name for suite in manifest.suites}
    tasks = {*asked.get("task", ()), *(task for suite in manifest.suites for task in suite.tasks)}
    models = {*asked.get("model", ()), *manifest.models}
    has_models = set(run.model) <= models if run.model else not asked.get("model")
    return has_models and set(run.suite) <= suites and set(run.task) <= tasks
