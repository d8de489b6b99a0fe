"""Raw text as documents: articles under WikiText's headings, or what stands between blank lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness.data.table import Table
from harness.data.text_files import lines_of, read_text

TEXT = "text"
"""The column of documents."""

ENDINGS = (".txt", ".text", ".md", ".tokens", ".raw")

TITLE = re.compile(r" ?= (?!= ).*\S = ?")
"""The heading of an article: one sign of equality on each side, where those of its sections have two or more."""


def read_documents(path: Path) -> Table:
    """The documents of a text file in the column `TEXT`. Raises HarnessError for an empty file or one not in UTF-8."""
    return _table(str(path), lines_of(read_text(path)))


def documents_of_rows(table: Table, column: str) -> Table:
    """The documents of a table whose rows are lines."""
    return _table(table.where, [str(value or "").removesuffix("\n") for value in table.read_column(column)])


def _table(where: str, lines: Sequence[str]) -> Table:
    """Blank lines become empty ones, as the hub has them: a document is the same from either source."""
    lines = [line if line.strip() else "" for line in lines]
    starts = _starts(lines)
    ends = [*starts[1:], len(lines)]
    texts = ["".join(line + "\n" for line in lines[start:end]) for start, end in zip(starts, ends, strict=True)]
    if not any(_is_title(lines, start) for start in starts):
        texts = [text.strip("\n") for text in texts]
    places = [start + 1 for start in starts]
    return Table(where, (TEXT,), lambda name: texts, range(len(texts)), places)


def _starts(lines: Sequence[str]) -> list[int]:
    """Where documents start, by index: at titles where there are any, else after blank lines.

    Articles keep their empty lines, so that together they are the file.
    """
    titles = [index for index in range(len(lines)) if _is_title(lines, index)]
    if not titles:
        return [index for index, line in enumerate(lines) if line.strip() and _is_blank(lines, index - 1)]
    before = next(index for index, line in enumerate(lines) if line.strip())
    return titles if before == titles[0] else [before, *titles]


def _is_title(lines: Sequence[str], index: int) -> bool:
    """Formulas may begin and end as a title does, but stand within a paragraph."""
    return TITLE.fullmatch(lines[index]) is not None and _is_blank(lines, index - 1) and _is_blank(lines, index + 1)


def _is_blank(lines: Sequence[str], index: int) -> bool:
    return not 0 <= index < len(lines) or not lines[index].strip()
