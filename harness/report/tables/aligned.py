"""Lines of Markdown tables that are aligned in a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def markdown_rows(header: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """The lines of an aligned table; its cells come escaped."""
    widths = [max(cell_width(line[index]) for line in [header, *body]) for index in range(len(header))]
    rule = "|".join("-" * (width + 1) + (":" if index else "-") for index, width in enumerate(widths))
    return [_markdown_line(header, widths), f"|{rule}|", *(_markdown_line(line, widths) for line in body)]


def _markdown_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    blanks = [" " * (width - cell_width(cell)) for cell, width in zip(cells, widths, strict=True)]
    first, *rest = cells
    numbers = (f" {blank}{cell} |" for blank, cell in zip(blanks[1:], rest, strict=True))
    return f"| {first}{blanks[0]} |{''.join(numbers)}"


def cell_width(text: str) -> int:
    """Columns of a terminal."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)
