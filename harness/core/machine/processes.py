"""Processes of our own: how they start, keep quiet, and end with the one that started them."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout

from harness.core.machine.environment import thread_variables


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables while a process is started: it inherits them, and they stand before it imports torch."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def end_with(parent: int) -> None:
    """Leave when the parent is gone, however it went: an orphan would hold locks and cores."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def end_with_parent() -> None:
    """As `end_with`, of a process that `multiprocessing` has started, whoever is its parent for the system."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def quiet_libraries() -> None:
    """Progress bars and notices of libraries do not belong between the lines of ours; errors still reach stderr."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=FutureWarning)
    sys.stdout = sys.stderr


@contextmanager
def in_this_process(threads: int) -> Iterator[None]:
    """For work in the calling process: so many intra-op threads, and libraries are quiet, until it is done.

    A torch that is imported here for the first time keeps the number of threads it was imported with.
    """
    torch = sys.modules.get("torch")
    threads_before = torch.get_num_threads() if torch else None
    logger = logging.getLogger("transformers")
    level_before = logger.level
    if torch:
        torch.set_num_threads(threads)
    try:
        with variables(thread_variables(threads)), warnings.catch_warnings(), redirect_stdout(sys.stderr):
            logger.setLevel(logging.ERROR)
            warnings.filterwarnings("ignore", category=FutureWarning)
            yield
    finally:
        logger.setLevel(level_before)
        if torch:
            torch.set_num_threads(threads_before)
