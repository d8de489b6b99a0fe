"""Files of a word a line with its tag last, empty lines between sentences: CoNLL-2003's four columns, WikiANN's two."""

from __future__ import annotations

import re
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.iob import IOB
from harness.data.table import Table
from harness.data.text_files import lines_of, read_text

ENDINGS = (".conll", ".bio", ".iob", ".iob2", ".txt")
TOKENS, TAGS = "tokens", "tags"
DOCUMENT = "-DOCSTART-"
LANGUAGE = re.compile(r"[a-z][a-z-]{1,11}:")


def read_conll(path: Path) -> Table:
    """The sentences of a file as rows: `tokens` are the words of the first column, `tags` the last; each column is
    there by its position too, `0`, `1`, …. Lines of `-DOCSTART-` are left out, and comments, which begin with # and
    end in no tag. Where every word begins with the same `en:`, that is no part of it.

    Raises:
        HarnessError: not UTF-8, empty, a line with another number of columns than the first, or one column alone.
    """
    sentences: list[list[list[str]]] = [[]]
    places: list[int] = []
    width = 0
    for place, line in enumerate(lines_of(read_text(path)), start=1):
        if not line.strip():
            if sentences[-1]:
                sentences.append([])
            continue
        row = line.split("\t") if "\t" in line else line.split()
        row = [part.strip() for part in row]
        if row[0] == DOCUMENT or (row[0].startswith("#") and not IOB.fullmatch(row[-1])):
            continue
        width = width or len(row)
        if len(row) != width or width < 2 or not row[0]:
            expected = f"{width} columns as in the first" if width > 1 else "a word and its tag"
            raise HarnessError(f"{path}:{place}: {len(row)} columns, expected {expected}; a word and its tag a line")
        if not sentences[-1]:
            places.append(place)
        sentences[-1].append(row)
    sentences = [rows for rows in sentences if rows]
    if not sentences:
        raise HarnessError(f"{path}: it has no words")
    words = [row for rows in sentences for row in rows]
    prefix = LANGUAGE.match(words[0][0])
    if prefix and all(row[0].startswith(prefix[0]) and len(row[0]) > len(prefix[0]) for row in words):
        for row in words:
            row[0] = row[0].removeprefix(prefix[0])
    columns = {TOKENS: 0, TAGS: width - 1} | {str(position): position for position in range(width)}

    def read_column(name: str) -> list[list[str]]:
        return [[row[columns[name]] for row in rows] for rows in sentences]

    return Table(str(path), tuple(columns), read_column, range(len(sentences)), places)
