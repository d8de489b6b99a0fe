"""What may stand in one table, what a cell of it says, and what is bold."""

from __future__ import annotations

import itertools
import math
import random
import subprocess
import sys

import pytest

from harness.report.tables.formats import to_markdown
from harness.report.tables.leaderboard import build
from harness.report.tables.table import Table
from tests.unit.report.records import all_typed, record, score, suite


def only(records: list, of: object | None = None) -> Table:
    tables = build(all_typed(records), [of or suite("a", "b")])
    assert len(tables) == 1
    return tables[0]


def values(table: Table) -> dict[str, dict[str, float]]:
    return {row.label: {task: round(one.estimate.value, 6) for task, one in row.scores.items()} for row in table.rows}


def both(model: str, a: float, b: float, **more: object) -> list[dict]:
    return [record("a", model, a, **more), record("b", model, b, **more)]  # type: ignore[arg-type]


def test_rows_are_models_by_average_and_columns_tasks_in_the_suites_order():
    table = only([*both("low", 0.6, 0.7), *both("high", 0.8, 0.9)], suite("b", "a"))
    assert [row.label for row in table.rows] == ["high", "low"]
    assert [column.task for column in table.columns] == ["b", "a"]
    assert table.rows[0].average is not None
    assert table.rows[0].average.estimate.value == pytest.approx(0.85)


def test_scores_on_different_data_never_share_a_table():
    tables = build(all_typed([record("a", "one", 0.6), record("a", "other", 0.9, data="changed")]), [suite("a")])
    assert sorted(row.label for table in tables for row in table.rows) == ["one", "other"]
    assert len(tables) == 2
    assert tables[0].columns[0].fingerprint != tables[1].columns[0].fingerprint


def test_a_model_trained_on_other_data_does_not_share_a_table_though_it_was_scored_on_the_same():
    mine, yours = record("a", "one", 0.6), record("a", "other", 0.9)
    yours["data"]["trained_on"] = {"train": "elsewhere"}
    assert len(build(all_typed([mine, yours]), [suite("a")])) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"limit": 50},
        {"source": "synthetic"},
        {"value": {"accuracy": score(0.7, version=2)}},
    ],
    ids=["task version", "limit", "source", "metric version"],
)
def test_scores_that_mean_different_things_never_share_a_table(change):
    other = record("a", "other", change.pop("value", 0.7), **change)
    tables = build(all_typed([record("a", "one", 0.6), other]), [suite("a")])
    assert [len(table.rows) for table in tables] == [1, 1]


def test_other_metrics_since_then_make_no_second_table():
    """The newest record says what a score is the mean of; who lacks a metric of it has no score, and is named."""
    older = record("a", "older", {"accuracy": score(0.9), "f1": score(0.5)}, created="2026-11-20T10:00:00Z")
    older["task"]["headline"] = ["accuracy"]
    newer = record("a", "newer", {"accuracy": score(0.7), "f1": score(0.6)}, created="2026-11-24T10:00:00Z")
    newer["task"]["headline"] = ["f1"]
    assert values(only([older, newer], suite("a"))) == {"newer": {"a": 0.6}, "older": {"a": 0.5}}
    newer = record("a", "newer", {"f1": score(0.6), "macro": score(0.5)}, created="2026-11-24T10:00:00Z")
    newer["task"]["headline"] = ["f1", "macro"]
    table = only([older, newer], suite("a"))
    assert values(table) == {"newer": {"a": 0.55}, "older": {}}
    assert "splits or metrics that others have are missing: older on a" in to_markdown(table)


def test_the_newest_data_come_first_whatever_the_order_of_the_records():
    old = [record("a", name, 0.6, data="old", created="2026-11-20T10:00:00Z") for name in ("m", "n")]
    new = [record("a", name, 0.7, data="new", created="2026-11-24T10:00:00Z") for name in ("m", "n")]
    for order in itertools.permutations([*old, *new]):
        tables = build(all_typed(order), [suite("a")])
        assert [values(table)["m"]["a"] for table in tables] == [0.7, 0.6]
        assert all(len(table.rows) == 2 for table in tables)


def test_no_table_ever_mixes_data_whatever_was_run():
    """Random piles of records: each record is in a table, and each column rests on one data set."""
    for seed in range(60):
        draw = random.Random(seed)
        records = [
            record(
                draw.choice("abc"),
                draw.choice("xyz"),
                draw.random() * 0.9 + 0.05,
                data=draw.choice(["old", "new"]),
                limit=draw.choice([None, 10]),
                seed=draw.choice([0, 1]),
                created=f"2026-11-24T10:00:{draw.randrange(60):02}Z",
            )
            for _ in range(12)
        ]
        by_value = {round(one["scores"]["accuracy"]["value"], 9): one for one in records}
        shown = set()
        for table in build(all_typed(records), [suite("a", "b", "c")]):
            for column in table.columns:
                seeds = [v for row in table.rows if column.task in row.scores
                         for v in row.scores[column.task].estimate.per_seed]  # fmt: skip
                found = [by_value[round(value, 9)] for value in seeds]
                assert {one["data"]["fingerprint"] for one in found} == {column.fingerprint}
                assert {one["data"]["limit"] for one in found} == {table.limit}
                shown |= {(one["model"]["id"], one["task"]["name"], one["seed"], column.fingerprint, table.limit)
                          for one in found}  # fmt: skip
        assert shown == {
            (one["model"]["id"], one["task"]["name"], one["seed"], one["data"]["fingerprint"], one["data"]["limit"])
            for one in records
        }


def test_a_score_computed_twice_counts_once_and_the_newest_counts():
    old, new = record("a", "m", 0.6), record("a", "m", 0.7, created="2026-11-25T10:00:00Z")
    for records in ([old, new], [new, old]):
        assert values(only(records, suite("a"))) == {"m": {"a": 0.7}}


def test_seeds_are_one_row_with_their_mean_deviation_and_number():
    table = only([record("a", "m", value, seed=seed) for seed, value in enumerate((0.70, 0.72, 0.74))], suite("a"))
    (row,) = table.rows
    assert row.seeds == (3, 3)
    estimate = row.scores["a"].estimate
    assert estimate.value == pytest.approx(0.72)
    assert estimate.sd == pytest.approx(0.02)
    assert estimate.low < 0.70


def test_uneven_numbers_of_seeds_are_shown_as_such():
    records = [*both("m", 0.7, 0.6), record("a", "m", 0.8, seed=1)]
    assert only(records).rows[0].seeds == (1, 2)


def test_a_task_score_is_the_mean_of_its_metrics_and_splits():
    both_metrics = {"accuracy": score(0.8), "f1": score(0.6)}
    splits = ("matched", "mismatched")
    table = only(
        [
            record("a", "m", both_metrics, split="matched", splits=splits),
            record("a", "m", {"accuracy": score(0.9), "f1": score(0.7)}, split="mismatched", splits=splits),
        ],
        suite("a"),
    )
    found = table.rows[0].scores["a"]
    assert found.estimate.value == pytest.approx(0.75)
    assert [(part.split, part.metric, part.estimate.value) for part in found.parts] == [
        ("matched", "accuracy", 0.8),
        ("matched", "f1", 0.6),
        ("mismatched", "accuracy", 0.9),
        ("mismatched", "f1", 0.7),
    ]
    assert table.columns[0].n == {"matched": 100, "mismatched": 100}


def test_a_model_that_lacks_a_split_has_parts_but_no_score_to_compare():
    splits = ("matched", "mismatched")
    records = [record("a", "whole", 0.8, split=split, splits=splits) for split in splits]
    table = only([*records, record("a", "half", 0.99, split="matched", splits=splits)], suite("a"))
    whole, half = table.rows
    assert (whole.label, half.label) == ("whole", "half")
    assert not half.scores
    assert half.average is None
    assert [part.estimate.value for part in half.partial["a"]] == [0.99]


def test_the_average_is_over_the_tasks_there_are_and_says_of_how_many():
    table = only(both("m", 0.6, 0.8), suite("a", "b", "c", "d"))
    assert table.averaged == ("a", "b")
    assert table.of_tasks == 4
    assert table.absent == ("c", "d")


def test_a_model_without_all_averaged_tasks_has_no_average_and_comes_last():
    table = only([*both("whole", 0.5, 0.5), record("a", "part", 0.9)])
    assert [(row.label, row.average is None) for row in table.rows] == [("whole", False), ("part", True)]


def test_a_diagnostic_is_shown_and_not_averaged():
    table = only(both("m", 0.6, 0.1), suite("a", "b", averaged=["a"]))
    assert [(column.task, column.diagnostic) for column in table.columns] == [("a", False), ("b", True)]
    assert table.rows[0].average is not None
    assert table.rows[0].average.estimate.value == pytest.approx(0.6)


def test_an_average_by_examples_weighs_tasks_by_them():
    many = record("b", "m", {"accuracy": score(0.9, n=300)})
    table = only([record("a", "m", 0.5), many], suite("a", "b", average_by="examples"))
    (row,) = table.rows
    assert row.average is not None
    assert row.average.estimate.value == pytest.approx((100 * 0.5 + 300 * 0.9) / 400)
    assert row.average.estimate.low == pytest.approx(0.8 - math.hypot(100 * 0.02, 300 * 0.02) / 400)


def test_a_task_without_labels_is_named_and_has_no_column():
    table = only([record("a", "m", 0.6), record("b", "m", {})])
    assert [column.task for column in table.columns] == ["a"]
    assert (table.unlabelled, table.absent) == (("b",), ())
    assert table.rows[0].average is not None


def test_a_table_of_predictions_only_is_still_a_table():
    table = only([record("a", "m", {})], suite("a"))
    assert (table.columns, table.unlabelled) == ((), ("a",))
    assert [row.label for row in table.rows] == ["m"]
    assert len(table.fingerprint) == 64


@pytest.mark.parametrize(
    ("leader", "half", "best"),
    [(0.80, 0.02, True), (0.73, 0.02, False), (0.80, 0.06, False)],
    ids=["apart", "overlapping", "too wide"],
)
def test_the_best_score_is_marked_only_where_its_interval_lies_above_all_others(leader, half, best):
    records = [record("a", "first", leader, half=half), record("a", "second", 0.72), record("a", "third", 0.5)]
    marks = {row.label: row.scores["a"].best for row in only(records, suite("a")).rows}
    assert marks == {"first": best, "second": False, "third": False}


def test_touching_intervals_support_no_best():
    first = record("a", "first", {"accuracy": score(0.8, low=0.75)})
    second = record("a", "second", {"accuracy": score(0.7, high=0.75)})
    assert not any(row.scores["a"].best for row in only([first, second], suite("a")).rows)


def test_a_lower_score_with_a_wide_interval_can_deny_the_best():
    records = [record("a", "first", 0.9), record("a", "second", 0.7), record("a", "wide", 0.5, half=0.45)]
    assert not any(row.scores["a"].best for row in only(records, suite("a")).rows)


def test_one_model_alone_is_not_the_best():
    (row,) = only([record("a", "m", 0.9)], suite("a")).rows
    assert not row.scores["a"].best
    assert row.average is not None
    assert not row.average.best


def test_chance_and_ceiling_are_the_means_over_metrics_and_averaged_tasks():
    ceiling = {"value": 0.9, "low": 0.88, "high": 0.92}
    a = {"accuracy": score(0.7, chance=0.6, ceiling=ceiling), "f1": score(0.7, chance=0.4, ceiling=ceiling)}
    b = {"accuracy": score(0.7, chance=0.3, ceiling={"value": 0.8, "low": 0.76, "high": 0.84})}
    table = only([record("a", "m", a), record("b", "m", b)])
    assert [column.chance for column in table.columns] == [pytest.approx(0.5), pytest.approx(0.3)]
    assert table.chance == pytest.approx(0.4)
    assert [column.ceiling.value for column in table.columns if column.ceiling] == [pytest.approx(0.9), 0.8]
    assert table.ceiling is not None
    assert table.ceiling.value == pytest.approx(0.85)


def test_an_unknown_ceiling_is_not_averaged():
    known = {"accuracy": score(0.7, ceiling={"value": 0.8, "low": 0.76, "high": 0.84})}
    table = only([record("a", "m", known), record("b", "m", {"accuracy": score(0.6, chance=None)})])
    assert (table.ceiling, table.chance) == (None, None)
    assert table.columns[0].ceiling is not None


def test_models_of_one_name_are_told_apart_by_their_overrides():
    records = [
        record("a", "bert", 0.6),
        record("a", "bert", 0.7, overrides={"epochs": 2.0}),
        record("a", "bert", 0.8, overrides={"epochs": 2.0, "learning_rate": 3e-05}),
    ]
    assert set(values(only(records, suite("a")))) == {
        "bert",
        "bert (epochs=2)",
        "bert (epochs=2, learning_rate=3e-05)",
    }


def test_models_of_one_name_and_equal_overrides_are_told_apart_by_id():
    records = [record("a", "bert", 0.6, identity=identity) for identity in ("one", "other")]
    labels = set(values(only(records, suite("a"))))
    assert labels == {f"bert ({one['model']['id'][:8]})" for one in records}


def test_one_model_under_two_names_is_one_row():
    first = record("a", "bert", 0.6)
    second = record("a", "copy", 0.6, seed=1, created="2026-11-25T10:00:00Z")
    second["model"]["id"] = first["model"]["id"]
    (row,) = only([first, second], suite("a")).rows
    assert (row.label, row.seeds) == ("copy", (2, 2))


def test_an_error_rate_beside_an_accuracy_does_not_cancel_it():
    scores = {"accuracy": score(0.9), "error_rate": score(0.1, greater_is_better=False)}
    (row,) = only([record("a", "m", scores)], suite("a")).rows
    assert row.scores["a"].estimate.value == pytest.approx(0.9)
    assert [part.metric for part in row.scores["a"].parts] == ["accuracy", "error_rate"]


def test_of_a_task_that_is_an_error_rate_the_lowest_is_best_and_it_is_not_averaged():
    def error(value: float) -> dict:
        return {"error_rate": score(value, greater_is_better=False)}

    records = [record("a", "good", error(0.1)), record("a", "bad", error(0.6)), *both("good", 0.5, 0.8)[1:]]
    table = only([*records, record("b", "bad", 0.8)])
    assert {row.label: row.scores["a"].best for row in table.rows} == {"good": True, "bad": False}
    assert table.averaged == ("b",)


def test_an_optimistic_selection_is_noted_with_its_model():
    table = only([record("a", "m", 0.9, selection={"mode": "best", "note": "optimistic"})], suite("a"))
    assert table.rows[0].notes == ("optimistic",)


def test_each_suite_has_its_tables():
    tables = build(
        all_typed(both("m", 0.5, 0.6)), [suite("a", name="one"), suite("b", name="two"), suite("c", name="none")]
    )
    assert [table.suite for table in tables] == ["one", "two"]


def test_reading_a_leaderboard_imports_nothing_heavy():
    code = """
import sys
import harness.report.tables.leaderboard, harness.report.tables.formats
heavy = {"numpy", "pandas", "torch", "datasets", "evaluate", "sklearn", "scipy", "transformers", "pyarrow"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
