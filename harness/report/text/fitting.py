"""Tables of Markdown in a terminal that is narrower than they are: without intervals, transposed, or in parts."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.report.tables.formats import cell_width, markdown_rows

INTERVAL = re.compile(r" \[[-+]?[\d.,]+, [-+]?[\d.,]+\]")
CELLS = re.compile(r"(?<!\\)\|")
LEAST = 40
"""Columns below which a terminal is not believed."""


def fitted(text: str, width: int) -> str:
    """A text whose tables are at most so many columns wide, where they can be.

    Args:
        text: Markdown, with tables whose first column is a name.
        width: Columns of the terminal.

    Returns:
        The text; what was left out of a table stands below it.
    """
    width = max(width, LEAST)
    lines, made = text.split("\n"), []
    place = 0
    while place < len(lines):
        end = place
        while end < len(lines) and lines[end].startswith("|"):
            end += 1
        if end - place > 2 and cell_width(lines[place]) > width:
            made += _fitted_table([_cells(line) for line in lines[place:end]], width)
            place = end
        else:
            made.append(lines[place])
            place += 1
    return "\n".join(made)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in CELLS.split(line)[1:-1]]


def _fitted_table(table: Sequence[Sequence[str]], width: int) -> list[str]:
    header, body = list(table[0]), [list(row) for row in table[2:]]
    lines = markdown_rows(header, body)
    without = [[INTERVAL.sub("", cell) for cell in row] for row in body]
    note = "" if without == body else "Intervals are left out to fit the terminal; --plain prints all."
    narrow = markdown_rows(header, without)
    if _widest(narrow) <= width:
        return [*narrow, "", note]
    turned = [list(row) for row in zip(header, *without, strict=True)]
    across = markdown_rows(turned[0], turned[1:])
    if len(body) < len(header) and _widest(across) <= width:
        return [*across, "", f"{note} Columns are rows.".strip()]
    parts = _parts(header, without, width)
    if _widest(lines) <= width or not parts:
        return lines
    pages = [line for part in parts for line in [*markdown_rows(*part), ""]]
    return [*pages, f"{note} Columns go on below, {len(parts)} tables of one.".strip()]


def _parts(header: list[str], body: list[list[str]], width: int) -> list[tuple[list[str], list[list[str]]]]:
    """The columns in as few parts as fit, each after the first column."""
    parts: list[list[int]] = [[]]
    for column in range(1, len(header)):
        tried = [0, *parts[-1], column]
        if parts[-1] and _widest(markdown_rows(_at(header, tried), [_at(row, tried) for row in body])) > width:
            parts.append([])
        parts[-1].append(column)
    return [(_at(header, [0, *part]), [_at(row, [0, *part]) for row in body]) for part in parts]


def _at(row: Sequence[str], columns: Sequence[int]) -> list[str]:
    return [row[column] for column in columns]


def _widest(lines: Sequence[str]) -> int:
    return max(map(cell_width, lines))
