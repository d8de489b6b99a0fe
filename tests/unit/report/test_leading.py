"""The sentence a table begins with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from harness.report.tables.leaderboard import build, build_with_records
from harness.report.tables.leading import leading, paired_tester
from tests.unit.report.records import all_typed, record, score, suite


def said(*records: dict, of: object | None = None, p: Mapping[str, float] | None = None) -> str:
    """`p` of a model, by its name, is what a test finds of the first not being better."""
    (table,) = build(all_typed(list(records)), [of or suite("a")])
    labels = {row.model: row.label for row in table.rows}
    return leading(table, lambda first, other: (p or {}).get(labels[other]))


def test_it_says_who_leads_by_how_much_and_who_cannot_be_told_from_it():
    told = said(record("a", "good", 0.80), record("a", "close", 0.79), record("a", "bad", 0.5))
    assert told.startswith("good leads on a with 80.0 [78.0, 82.0], 1.0 points ahead of close;")
    assert told.endswith("by their intervals it cannot be told from close; it is apart from all others.")
    assert "it is apart from every other model." in said(record("a", "good", 0.9), record("a", "bad", 0.5))


def test_where_less_is_better_the_least_leads():
    records = [
        record("a", name, {"error": score(value, greater_is_better=False)}) for name, value in (("x", 0.2), ("y", 0.6))
    ]
    assert said(*records).startswith("x leads on a")


def test_several_tasks_are_judged_by_their_average():
    records = [record(task, model, value) for task in ("a", "b") for model, value in (("m", 0.9), ("n", 0.6))]
    assert said(*records, of=suite("a", "b")).startswith("m leads on average with 90.0")


def test_equal_scores_are_level_and_one_model_has_no_rival():
    assert "are level on a" in said(record("a", "m", 0.7), record("a", "n", 0.7))
    assert said(record("a", "m", 0.7)) == ""


def test_many_close_models_are_counted():
    told = said(*(record("a", f"m{number}", 0.70 - number / 1000) for number in range(8)))
    assert told.endswith("m1, m2, m3, m4 and 3 more.")


def test_a_paired_test_tells_apart_what_intervals_cannot():
    records = [record("a", name, value) for name, value in (("good", 0.80), ("near", 0.79), ("like", 0.789))]
    told = said(*records, p={"near": 0.002, "like": 0.3})
    assert "by a paired test over the same examples and seeds it cannot be told from like" in told
    assert told.endswith("it is apart from all others (paired test, p at most 0.008).")
    assert said(*records, p={"near": 0.002, "like": 0.004}).endswith(
        "every other model (paired test, p at most 0.008)."
    )
    assert said(*records, p={"near": 0.02, "like": 0.02}).endswith("cannot be told from near, like."), "two, two-sided"


@pytest.mark.parametrize("tasks", [["a"], ["a", "b"]])
@pytest.mark.parametrize(("worse", "is_apart"), [(0, False), (30, True)])
def test_predictions_are_compared_example_by_example(tasks, worse, is_apart):
    references = np.arange(400) % 2
    random = np.random.default_rng(3)
    wrong = random.random(400) < 0.2
    base = np.where(wrong, 1 - references, references)
    other = base.copy()
    lost = np.flatnonzero(~wrong)[: worse + 8]
    won = np.flatnonzero(wrong)[:8]
    other[lost], other[won] = 1 - references[lost], references[won]
    found = {"m": base, "n": other}
    records = [
        record(task, model, float((found[model] == references).mean()), seed=seed)
        for task in tasks
        for model in ("m", "n")
        for seed in ((0, 1, 2) if model == "m" else (0,))
    ]
    ((table, draft),) = build_with_records(all_typed(records), [suite(*tasks)])
    by_label = {row.label: row.model for row in table.rows}
    names = {model: label for label, model in by_label.items()}
    test = paired_tester(table, draft, lambda one: (found[names[one.model.id]], references))
    p = test(by_label["m"], by_label["n"])
    assert p is not None and (p < 0.01) == is_apart
    assert (
        paired_tester(table, draft, lambda one: (found[names[one.model.id]], None))(by_label["m"], by_label["n"])
        is None
    )
