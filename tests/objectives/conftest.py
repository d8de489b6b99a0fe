"""A vocabulary small enough to read: five special tokens, 100 sentinels, words and continuations."""

from __future__ import annotations

import numpy as np
import pytest

from harness.objectives import Tokens


@pytest.fixture
def tokens() -> Tokens:
    """0 pad, 1 unknown, 2 start, 3 end, 4 mask, 5…104 sentinels, 105…199 words of which those from 180 on continue one."""
    special = np.zeros(200, dtype=bool)
    special[:105] = True
    inside = np.zeros(200, dtype=bool)
    inside[180:] = True
    return Tokens(200, 0, 3, 2, 4, tuple(range(5, 105)), special, np.where(special, 0, 4), inside)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)
