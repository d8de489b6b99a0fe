"""A vocabulary small enough to read: five special tokens, 100 sentinels, words and continuations."""

from __future__ import annotations

import numpy as np
import pytest

from harness.training.objectives import Tokens


@pytest.fixture
def tokens() -> Tokens:
    """0 pad, 1 unknown, 2 start, 3 end and separator, 4 mask, 5…104 sentinels, 105…199 words: 106 ends a sentence, those
    from 180 on continue a word."""
    special = np.zeros(200, dtype=bool)
    special[:105] = True
    inside = np.zeros(200, dtype=bool)
    inside[180:] = True
    stops = np.zeros(200, dtype=bool)
    stops[106] = True
    return Tokens(200, 0, 3, 2, 3, 4, tuple(range(5, 105)), special, np.where(special, 0, 4), inside, stops)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)
