"""Ranks with ties: Holm over pairs, groups of neighbours, and the examples that would separate two."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.ranking import Difference, examples_needed, letters, ranks, two_sided
from harness.stats.significance import Drop, drop_of_fractions, holm


def test_models_without_any_difference_share_all_ranks():
    made = ranks(4, {(at, other): 0.5 for at in range(4) for other in range(at + 1, 4)})
    assert made.lowest == (1, 1, 1, 1) and made.highest == (4, 4, 4, 4)
    assert made.groups == ((0, 3),)


def test_groups_overlap_where_the_ends_of_a_run_are_separated():
    p_values = {(0, 1): 0.4, (1, 2): 0.4, (0, 2): 0.001, (0, 3): 1e-6, (1, 3): 1e-6, (2, 3): 1e-6}
    made = ranks(4, p_values)
    assert made.groups == ((0, 1), (1, 2), (3, 3))
    assert made.lowest == (1, 1, 2, 4) and made.highest == (2, 3, 3, 4)
    assert [letters(made.groups, at) for at in range(4)] == ["a", "a b", "b", "c"]


def test_p_values_are_adjusted_over_all_pairs():
    p_values = {(0, 1): 0.02, (0, 2): 0.02, (1, 2): 0.9}
    made = ranks(3, p_values)
    assert list(made.adjusted.values()) == holm([0.02, 0.02, 0.9])
    assert made.groups == ((0, 2),)
    assert ranks(2, {(0, 1): 0.02}).groups == ((0, 0), (1, 1))


@given(st.integers(2, 7), st.randoms(use_true_random=False))
def test_ranks_bound_groups_and_nobody_is_left_out(count: int, random):
    p_values = {(at, other): random.choice([1e-9, 0.5]) for at in range(count) for other in range(at + 1, count)}
    made = ranks(count, p_values)
    assert {at for first, last in made.groups for at in range(first, last + 1)} == set(range(count))
    for first, last in made.groups:
        assert all(
            made.adjusted[at, other] >= 0.05 for at in range(first, last + 1) for other in range(at + 1, last + 1)
        )
    assert all(low <= high for low, high in zip(made.lowest, made.highest, strict=True))
    assert all(low <= at + 1 <= high for at, (low, high) in enumerate(zip(made.lowest, made.highest, strict=True)))


def test_letters_go_on_after_z():
    groups = tuple((at, at) for at in range(30))
    assert [letters(groups, at) for at in (0, 25, 26, 27)] == ["a", "z", "aa", "ab"]


def test_the_examples_that_would_separate_do_so_with_the_power_that_is_said():
    random = np.random.default_rng(0)
    lost = random.choice([1, 0, -1], size=400, p=[0.12, 0.8, 0.08]).astype(float)
    drop = drop_of_fractions([[lost]])
    needed = examples_needed(Difference(drop, 0.1, len(lost)))
    assert needed is not None and needed > 400
    fractions = [(lost == value).mean() for value in (1, 0, -1)]
    found = 0
    for _ in range(600):
        counts = random.multinomial(needed, fractions)
        drawn = np.repeat([1.0, 0.0, -1.0], counts)
        found += two_sided(drop_of_fractions([[drawn]]).p_worse()) < 0.05
    assert found / 600 == pytest.approx(0.8, abs=0.06)


def test_no_number_of_examples_separates_equals_or_what_seeds_hide():
    assert examples_needed(Difference(Drop(0.0, 1e-4), 1.0, 100)) is None
    assert examples_needed(Difference(Drop(0.01, 1e-4, of_seeds=1e-3, degrees=2), 0.5, 100)) is None
    plain = examples_needed(Difference(Drop(0.05, 1e-3), 0.1, 100))
    spread = examples_needed(Difference(Drop(0.05, 1e-3, of_seeds=1e-4, degrees=2), 0.1, 100))
    assert plain is not None and spread is not None and plain < spread
