"""Scores of clean and of dirty examples."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.subsets import clean_and_dirty


def test_parts_are_scored_apart_and_the_interval_holds_the_truth() -> None:
    held = 0
    for trial in range(40):
        random = np.random.default_rng(trial)
        labels = random.integers(0, 2, 400)
        dirty = np.arange(400) < 100
        right = random.random(400) < np.where(dirty, 0.9, 0.7)
        predictions = np.where(right, labels, 1 - labels)
        [found] = clean_and_dirty(["accuracy"], [(predictions, labels)], dirty.tolist()).values()
        assert found["clean"] == pytest.approx(right[~dirty].mean()) and found["dirty"] == pytest.approx(
            right[dirty].mean()
        )
        assert found["difference"]["value"] == pytest.approx(found["dirty"] - found["clean"])
        held += found["difference"]["low"] <= 0.2 <= found["difference"]["high"]
    assert held >= 34


def test_seeds_are_averaged_and_few_examples_have_no_interval() -> None:
    labels = np.array([0, 1] * 20)
    dirty = [at < 5 for at in range(40)]
    found = clean_and_dirty(["accuracy"], [(labels, labels), (1 - labels, labels)], dirty)["accuracy"]
    assert found == {"clean": 0.5, "dirty": 0.5, "difference": None}


def test_a_part_without_examples_has_no_score() -> None:
    values = np.arange(30.0)
    found = clean_and_dirty(["pearson"], [(values, values)], [False] * 30)["pearson"]
    assert found["clean"] == pytest.approx(1.0) and found["dirty"] is None and found["difference"] is None


def test_two_parts_that_are_all_right_differ_by_newcombes_interval() -> None:
    labels = np.zeros(50, dtype=int)
    (facts,) = clean_and_dirty(["accuracy"], [(labels, labels)], [True] * 20 + [False] * 30).values()
    z = 1.959964**2
    difference = facts["difference"]
    assert difference["value"] == 0
    assert (difference["low"], difference["high"]) == pytest.approx((-z / (20 + z), z / (30 + z)), abs=1e-6)
