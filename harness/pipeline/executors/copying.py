"""A process that has imported what workers need, and of which each worker is a copy: imports that take seconds are made
once a run, however many workers there are and however often one is replaced, and may begin while the run is planned.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

import psutil

from harness.core.lazy import lazy
from harness.core.machine.environment import thread_variables
from harness.core.machine.processes import variables
from harness.pipeline.cells import Cell, CompressJob, FinetuneJob, MetaJob, PretrainJob, ScoreJob
from harness.pipeline.executors import orphaned
from harness.training.learners import LEARNERS

serving = lazy("harness.pipeline.executors.worker")
OF_TORCH = "TORCHINDUCTOR_CACHE_DIR"
"""A variable that torch sets as it is imported, here too, where a plan asks it something."""

_ENVIRONMENT: dict[str, str] = {}
"""What the process to copy was started with; empty while there is none. Libraries read variables as they are
imported.
"""


def imports_of(cells: Iterable[Cell]) -> set[str]:
    """What the learners of these cells import to work."""
    jobs = (cell.job for cell in cells)
    names = {
        job.learner if isinstance(job, ScoreJob) else job.model_spec.learner
        for job in jobs if isinstance(job, PretrainJob | MetaJob | FinetuneJob | CompressJob | ScoreJob)
    }  # fmt: skip
    return {module for name in names for module in LEARNERS.get(name).imports}


def begin(threads: int, modules: Iterable[str]) -> set[int]:
    """Start the process to copy for workers of so many threads, unless there is one; it imports while this process goes
    on.

    Returns:
        Its process id, for `withdraw`; nothing where none was started: it is there, there is nothing to import, or the
        system has no copies.
    """
    names = sorted(set(modules))
    if _ENVIRONMENT or not names or "forkserver" not in multiprocessing.get_all_start_methods():
        return set()
    copying = multiprocessing.get_context("forkserver")
    copying.set_forkserver_preload([orphaned.__name__, *names, serving.__name__])
    resource_tracker.ensure_running()
    before = _children()
    with variables({**thread_variables(threads), orphaned.PARENT: str(os.getpid())}):
        forkserver.ensure_running()
    _ENVIRONMENT.update(_environment(threads))
    return _children() - before


def withdraw(started: set[int]) -> None:
    """End at once what `begin` has started: there is nothing to compute."""
    for number in started:
        with suppress(psutil.Error):
            process = psutil.Process(number)
            process.kill()
            deadline = time.monotonic() + 1
            while process.status() != psutil.STATUS_ZOMBIE and time.monotonic() < deadline:
                time.sleep(0.002)  # until it has ended, or the next one to be asked for is taken to be this one
    if started:
        _ENVIRONMENT.clear()


def context(threads: int, modules: Iterable[str]) -> BaseContext:
    """How workers of so many threads start: as copies of a process that has imported `modules`.

    Each imports for itself where there is nothing to import, where the system has no copies, and where the environment
    is not the one the process to copy was started with. Not for workers that use a GPU: its driver does not survive.
    """
    names = set(modules)
    begin(threads, names)
    is_alike = _environment(threads) == _ENVIRONMENT
    return multiprocessing.get_context("forkserver" if names and is_alike else "spawn")


def _environment(threads: int) -> dict[str, str]:
    variables_of_worker = {**os.environ, **thread_variables(threads)}
    return {name: value for name, value in variables_of_worker.items() if name != OF_TORCH}


def _children() -> set[int]:
    return {process.pid for process in psutil.Process().children()}
