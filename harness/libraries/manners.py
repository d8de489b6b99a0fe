"""Other packages' manners: what they log, what they do to the generators of random numbers, how they fail to read."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Iterator

from harness.core.errors import HarnessError
from harness.data.hub_access import hub_reachable, one_line, without_progress_bars


def not_loaded(where: str, dataset: str, error: Exception, is_local: bool, remedy: str = "") -> HarnessError:
    """Why a task's data could not be read: it may be that the hub does not answer."""
    cause = None if is_local else hub_reachable()
    if cause is not None:
        return HarnessError(
            f"{where}: its dataset {dataset} is not in the cache, and the hub cannot be asked: {cause}{remedy}"
        )
    return HarnessError(f"{where}: its dataset {dataset} cannot be read: {type(error).__name__}: {one_line(error)}")


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """The generators of Python and numpy are afterwards as they were."""
    import numpy as np

    before, before_numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(before_numpy)


@contextlib.contextmanager
def without_remarks(*loggers: str) -> Iterator[None]:
    """Without what these loggers say, and without the progress bars of reading data."""
    levels = {logger: logger.level for logger in map(logging.getLogger, loggers)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        with without_progress_bars():
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)
