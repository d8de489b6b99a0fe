"""Tables in terminals that are narrower than they are."""

from __future__ import annotations

import pytest

from harness.report.tables.formats import cell_width, markdown_rows
from harness.report.text.fitting import fitted

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
