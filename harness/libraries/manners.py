"""Other packages' manners: what they log, and what they do to the generators of random numbers."""

from __future__ import annotations

import contextlib
import logging
import random
from collections.abc import Iterator

from harness.data.hub_access import without_progress_bars


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
