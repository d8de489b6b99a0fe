"""Pretrainings on the page: the tables of `harness leaderboard --pretraining`, and their losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.core.text import without_paths
from harness.report.page.model import Grid
from harness.report.tables.pretraining import NOTE, Comparison, header_and_lines

BOLD = NOTE.replace("Bold", "★")


def grids(comparisons: Sequence[Comparison]) -> tuple[Grid, ...]:
    """A table each; the best score of a column, where no other interval reaches it, has a star."""
    tables = []
    for comparison in comparisons:
        header, lines = header_and_lines(comparison)
        rows = tuple(tuple(_starred(text) for text in line) for line in lines)
        tables.append(Grid(without_paths(comparison.title), tuple(header), rows, (BOLD,), numbers_from=1))
    titles = [table.title for table in tables]
    numbered = []
    for at, table in enumerate(tables):
        number, count = titles[: at + 1].count(table.title), titles.count(table.title)
        title = table.title if count == 1 else f"{table.title}, table {number} of {count}"
        numbered.append(replace(table, title=title))
    return tuple(numbered)


def _starred(text: str) -> str:
    return f"★ {text.removeprefix('**').removesuffix('**')}" if text.startswith("**") else text
