"""Tables in terminals that are narrower than they are."""

from __future__ import annotations

import re

import pytest

from harness.report.tables.aligned import cell_width, markdown_rows
from harness.report.text.fitting import fitted
from harness.report.text.text import columns

TASKS = ["cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli"]


def table(tasks: int, models: int) -> str:
    header = ["model", "average", *TASKS[:tasks]]
    body = [
        [f"bert-{model}", *(f"**8{task}.{model} ±0.4 [78.0, 84.1]**" for task in range(tasks + 1))]
        for model in range(models)
    ]
    return "\n".join(
        [
            "### glue",
            "",
            *markdown_rows(header, body),
            "",
            "Scores ×100 with 95 % intervals, which is a note that is long.".ljust(200),
        ]
    )


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200, 400])
@pytest.mark.parametrize(("tasks", "models"), [(1, 2), (4, 3), (9, 2), (9, 12)])
def test_a_table_is_no_wider_than_the_terminal_and_loses_no_score(width, tasks, models):
    text = table(tasks, models)
    shown = fitted(text, width)
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert max(map(cell_width, rows)) <= width
    for model in range(models):
        for task in range(tasks + 1):
            assert f"8{task}.{model} ±0.4" in shown
    if shown != text:
        assert "--plain prints all" in shown


def test_what_fits_stays_as_it_is():
    text = table(4, 3)
    assert fitted(text, 400) == text
    assert fitted("no table at all, but a long line " * 20, 60) == "no table at all, but a long line " * 20


def test_a_name_with_a_bar_stays_one_cell():
    text = "\n".join(markdown_rows(["model", "a"], [[r"prune\|int8", "81.2 [78.0, 84.1] " + "x" * 40]]))
    assert r"prune\|int8" in fitted(text, 62) and "[78.0" not in fitted(text, 62)


DESCRIBED = [
    ["bert-tiny", "transformer", "a tiny BERT, pretrained on generated English, for tests and for a first try"],
    ["tfidf", "tfidf", "words and pairs of words, a linear model"],
    ["名前", "majority", "語彙" * 40],
]


@pytest.mark.parametrize("width", [40, 48, 60, 80])
def test_columns_that_are_too_wide_go_on_in_further_lines(width):
    text = columns(DESCRIBED, ["name", "learner", "description"])
    shown = fitted(f"head\n\n{text}\n\n3 models", width)
    assert max(map(cell_width, shown.split("\n"))) <= width
    assert shown.startswith("head\n\n") and shown.endswith("\n\n3 models")
    for word in " ".join(" ".join(row) for row in DESCRIBED[:2]).split():
        assert word in shown.split()
    assert shown.count("語") == shown.count("彙") == 40


def test_columns_that_fit_stay_as_they_are():
    text = columns(DESCRIBED, ["name", "learner", "description"])
    assert fitted(text, 200) == text
    assert fitted(columns([["a", "1"]], ["", "value"]), 40) == columns([["a", "1"]], ["", "value"])


def test_too_many_columns_are_lists():
    row = [f"cell-{number:02}" for number in range(30)]
    shown = fitted(columns([row, row], [f"c{number}" for number in range(30)]), 60)
    assert max(map(cell_width, shown.split("\n"))) <= 60 and shown.count("cell-17") == 2


def test_the_columns_that_tell_rows_apart_stand_in_each_part():
    header = ["verdict", "task", "model", *(f"number {number}" for number in range(12))]
    body = [
        ["OK", task, model, *["0.1234"] * 12] for task in ("cola", "sst2", "mrpc", "rte", "qnli") for model in "abcd"
    ]
    shown = fitted("\n".join(markdown_rows(header, body)), 72)
    rows = [line for line in shown.split("\n") if line.startswith("|")]
    parts = shown.count("| verdict")
    assert max(map(cell_width, rows)) <= 72 and parts > 1
    assert len([line for line in rows if re.match(r"\| OK +\| +sst2 \| +b \|", line)]) == parts
