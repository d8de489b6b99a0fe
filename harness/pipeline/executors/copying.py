"""A process that has imported what workers need, and of which each worker is a copy: imports that take seconds are made
once a run, however many workers there are and however often one is replaced.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterable
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

from harness.core.machine.environment import thread_variables
from harness.core.machine.processes import variables

_ENVIRONMENT: dict[str, str] = {}
"""What the process to copy was started with; empty while there is none. Libraries read variables as they are
imported.
"""


def context(threads: int, modules: Iterable[str]) -> BaseContext:
    """How workers of so many threads start: as copies of a process that has imported `modules`.

    Each imports for itself where there is nothing to import, where the system has no copies, and where the environment
    is not the one the process to copy was started with. Not for workers that use a GPU: its driver does not survive.
    """
    names = sorted(set(modules))
    if not names or "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    environment = {**os.environ, **thread_variables(threads)}
    if not _ENVIRONMENT:
        copying = multiprocessing.get_context("forkserver")
        copying.set_forkserver_preload(names)
        with variables(thread_variables(threads)):
            forkserver.ensure_running()
        _ENVIRONMENT.update(environment)
    return multiprocessing.get_context("forkserver" if environment == _ENVIRONMENT else "spawn")
