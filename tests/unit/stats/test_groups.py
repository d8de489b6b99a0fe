"""The worst group of examples, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.bootstrap import wilson
from harness.stats.groups import LEAST, worst_group


def test_the_worst_group_and_its_interval_for_as_many_groups():
    names = ["a"] * 50 + ["b"] * 40 + ["c"] * 30 + ["rare"] * (LEAST - 1)
    right = np.r_[np.ones(45), np.zeros(5), np.ones(20), np.zeros(20), np.ones(24), np.zeros(6), np.zeros(LEAST - 1)]
    judged = worst_group([right], names)
    assert judged is not None
    assert [(group.name, group.n) for group in judged.groups] == [("b", 40), ("c", 30), ("a", 50)]
    assert judged.worst.score.value == 0.5
    assert (judged.worst.score.low, judged.worst.score.high) == wilson(20, 40, 1 - 0.05 / 3)
    assert judged.too_small == (("rare", LEAST - 1),)
    assert 0.5 < judged.by_chance < 89 / 120


def test_two_seeds_are_averaged_and_their_spread_is_in_the_interval():
    names = ["a"] * 100 + ["b"] * 100
    first, second = np.r_[np.ones(90), np.zeros(110)], np.r_[np.ones(90), np.zeros(20), np.ones(90)]
    alone, both = worst_group([first], names), worst_group([first, second], names)
    assert alone is not None and both is not None
    assert (alone.worst.name, alone.worst.score.value) == ("b", 0.0)
    assert (both.worst.name, both.worst.score.value) == ("b", pytest.approx(0.45))
    assert both.worst.score.high - both.worst.score.low > alone.worst.score.high - alone.worst.score.low


def test_one_group_alone_is_not_the_worst_of_any():
    assert worst_group([np.ones(40)], ["a"] * 30 + ["b"] * 10) is None


def test_where_no_group_is_harder_all_intervals_hold_together_and_chance_is_told():
    """A 95 % interval of the group that came out worst would miss far more often than one time in twenty."""
    random = np.random.default_rng(0)
    names = [f"g{index % 8}" for index in range(400)]
    missed, worst, by_chance = 0, [], []
    for _ in range(60):
        judged = worst_group([(random.random(400) < 0.8).astype(float)], names)
        assert judged is not None
        missed += not judged.worst.score.low <= 0.8 <= judged.worst.score.high
        worst.append(judged.worst.score.value)
        by_chance.append(judged.by_chance)
    assert missed <= 6
    assert np.mean(worst) == pytest.approx(np.mean(by_chance), abs=0.02)
    assert np.mean(worst) < 0.75
