"""The sentence a table begins with."""

from __future__ import annotations

from harness.report.tables.leaderboard import build
from harness.report.tables.leading import leading
from tests.unit.report.records import all_typed, record, score, suite


def said(*records: dict, of: object | None = None) -> str:
    (table,) = build(all_typed(list(records)), [of or suite("a")])
    return leading(table)


def test_it_says_who_leads_by_how_much_and_who_cannot_be_told_from_it():
    told = said(record("a", "good", 0.80), record("a", "close", 0.79), record("a", "bad", 0.5))
    assert told.startswith("good leads on a with 80.0 [78.0, 82.0], 1.0 points ahead of close;")
    assert told.endswith("it cannot be told from close.")
    assert "its interval is apart from every other model's" in said(record("a", "good", 0.9), record("a", "bad", 0.5))


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
