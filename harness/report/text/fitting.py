"""Tables in a terminal that is narrower than they are. Those of Markdown: without intervals, transposed, or in parts;
those of columns: with cells of several lines. Where even that is too wide, each row as a list.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.report.tables.aligned import cell_width, markdown_rows
from harness.report.text.text import GAP

INTERVAL = re.compile(r" \[[-+]?[\d.,]+, [-+]?[\d.,]+\]")
CELLS = re.compile(r"(?<!\\)\|")
RULE = re.compile(r" *-+(?:  +-+)+ *")
"""The line below the header of a table of columns."""
LEAST = 40
"""Columns below which a terminal is not believed."""
KEYS_AT_MOST = 3
"""Columns that are repeated in each part of a table, so that its rows can be told apart."""
UNBROKEN = 20
"""Characters of a word that no column breaks."""

Row = Sequence[str]


def fitted(text: str, width: int) -> str:
    """A text whose tables are at most so many columns wide, where they can be.

    Args:
        text: Markdown, with tables whose first columns are names; or tables of columns.
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
        elif place + 1 < len(lines) and lines[place] and RULE.fullmatch(lines[place + 1]):
            end = next((at for at in range(place, len(lines)) if not lines[at]), len(lines))
            made += _fitted_columns(lines[place:end], width)
            place = end
        else:
            made.append(lines[place])
            place += 1
    return "\n".join(made)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in CELLS.split(line)[1:-1]]


def _fitted_table(table: Sequence[Row], width: int) -> list[str]:
    header, body = list(table[0]), [list(row) for row in table[2:]]
    without = [[INTERVAL.sub("", cell) for cell in row] for row in body]
    note = "" if without == body else "Intervals are left out to fit the terminal; --plain prints all."
    narrow = markdown_rows(header, without)
    if _widest(narrow) <= width:
        return [*narrow, "", note]
    turned = [list(row) for row in zip(header, *without, strict=True)]
    across = markdown_rows(turned[0], turned[1:])
    if len(body) < len(header) and _widest(across) <= width:
        return [*across, "", f"{note} Columns are rows.".strip()]
    parts = [markdown_rows(*part) for part in _parts(header, without, width)]
    if parts and max(map(_widest, parts)) <= width:
        pages = [line for part in parts for line in [*part, ""]]
        return [*pages, f"{note} Columns go on below, {len(parts)} tables of one.".strip()]
    return [*_lists(header, body, width), "Rows are lists to fit the terminal; --plain prints the table."]


def _parts(header: list[str], body: list[list[str]], width: int) -> list[tuple[list[str], list[list[str]]]]:
    """The columns in as few parts as fit, each after the first columns that tell the rows apart."""
    keys = _keys(body)
    parts: list[list[int]] = [[]]
    for column in range(len(keys), len(header)):
        tried = [*keys, *parts[-1], column]
        if parts[-1] and _widest(markdown_rows(_at(header, tried), [_at(row, tried) for row in body])) > width:
            parts.append([])
        parts[-1].append(column)
    return [(_at(header, [*keys, *part]), [_at(row, [*keys, *part]) for row in body]) for part in parts]


def _keys(body: Sequence[Row]) -> list[int]:
    """The first columns, as few as no two rows have alike."""
    counts = range(1, KEYS_AT_MOST + 1)
    enough = next((count for count in counts if len({tuple(row[:count]) for row in body}) == len(body)), 1)
    return list(range(enough))


def _fitted_columns(lines: Sequence[str], width: int) -> list[str]:
    """A table that `columns` has made."""
    if _widest(lines) <= width:
        return list(lines)
    starts = [0, *(match.start() for match in re.finditer("-+", lines[1]) if match.start() > 0)]
    table = [_sliced(line, starts) for line in (lines[0], *lines[2:])]
    wide = [max(cell_width(row[column]) for row in table) for column in range(len(starts))]
    least = [
        min(wide[column], max(min(UNBROKEN, cell_width(word)) for row in table for word in [*row[column].split(), ""]))
        for column in range(len(starts))
    ]
    spare = width - len(GAP) * (len(starts) - 1)
    if sum(least) > spare:
        return _lists(table[0], table[1:], width)[:-1]
    while sum(wide) > spare:
        widest = max((column for column in range(len(wide)) if wide[column] > least[column]), key=wide.__getitem__)
        wide[widest] -= 1
    header, *body = [_row_lines(row, wide) for row in table]
    titles = [min(size, cell_width(title)) for size, title in zip(wide, table[0], strict=True)]
    (rule,) = _row_lines(["-" * size for size in titles], wide)
    return [*header, rule, *(line for row in body for line in row)]


def _sliced(line: str, starts: Sequence[int]) -> list[str]:
    ends = [*starts[1:], len(line)]
    return [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]


def _row_lines(row: Row, wide: Sequence[int]) -> list[str]:
    """A row whose cells go on in further lines."""
    cells = [_broken(cell, size) for cell, size in zip(row, wide, strict=True)]
    height = max(map(len, cells))
    filled = [[*cell, *[""] * (height - len(cell))] for cell in cells]
    return [
        GAP.join(part + " " * (size - cell_width(part)) for part, size in zip(line, wide, strict=True)).rstrip()
        for line in zip(*filled, strict=True)
    ]


def _broken(text: str, width: int) -> list[str]:
    """Lines of at most so many columns, broken between words, and within those that are longer."""
    lines = [""]
    for word in text.split(" "):
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if cell_width(joined) <= width:
            lines[-1] = joined
            continue
        lines.append("")
        for letter in word:
            if cell_width(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    return [line for line in lines if line] or [""]


def _lists(header: Row, body: Sequence[Row], width: int) -> list[str]:
    """Each row as a line a cell or several, and an empty one after it."""
    names = max(map(cell_width, header))
    rest = max(width - names - len(GAP), UNBROKEN)
    made: list[str] = []
    for row in body:
        for name, cell in zip(header, row, strict=True):
            made += _row_lines([name, cell], [names, rest]) if cell else []
        made.append("")
    return made


def _at(row: Row, columns: Sequence[int]) -> list[str]:
    return [row[column] for column in columns]


def _widest(lines: Sequence[str]) -> int:
    return max(map(cell_width, lines))
