"""SuperGLUE's files of nested rows as tables: a row an answer (MultiRC), a row a query (ReCoRD)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.data.readers import read_jsonl
from harness.data.squad import part_of
from harness.data.table import Table

Row = dict[str, Any]


def read_multirc(path: Path) -> Table:
    """A row an answer: `paragraph`, `question`, `answer`, numbers of the first two (`idx.paragraph` and `idx.question`)
    and `label`, which is left out where no answer has one.

    Raises:
        HarnessError: a line is no JSON object, or a part of it is missing or of another kind; with the place.
    """

    def rows(line: Row, where: str, number: int) -> Iterator[Row]:
        passage = _part(line, "passage", dict, where)
        text = _part(passage, "text", str, where)
        for at, question in enumerate(_part(passage, "questions", list, where)):
            for answer in _part(question, "answers", list, where):
                row = {"paragraph": text, "question": _part(question, "question", str, where)}
                row |= {"answer": _part(answer, "text", str, where), "idx.paragraph": number, "idx.question": at}
                yield row | ({"label": answer["label"]} if "label" in answer else {})

    return _flat(path, rows, "label")


def read_record(path: Path) -> Table:
    """A row a query: `passage`, `query` and `answers`, the distinct texts of its right entities, which are left out
    where no query has any.

    Raises:
        HarnessError: as `read_multirc` does.
    """

    def rows(line: Row, where: str, number: int) -> Iterator[Row]:
        text = _part(_part(line, "passage", dict, where), "text", str, where)
        for query in _part(line, "qas", list, where):
            row = {"passage": text, "query": _part(query, "query", str, where)}
            answers = _part(query, "answers", list, where) if "answers" in query else None
            if answers is not None:
                row["answers"] = list(dict.fromkeys(_part(answer, "text", str, where) for answer in answers))
            yield row

    return _flat(path, rows, "answers")


def _flat(path: Path, rows_of: Any, target: str) -> Table:
    """The rows of all lines, each with the line it stands in; the target in all of them or in none."""
    lines = read_jsonl(path)
    columns = {name: lines.read_column(name) for name in lines.names}
    rows: list[Row] = []
    places: list[int] = []
    for index in range(len(lines)):
        line = {name: values[index] for name, values in columns.items() if values[index] is not None}
        for row in rows_of(line, lines.place(index), index):
            rows.append(row)
            places.append(index)
    names = list(dict.fromkeys(name for row in rows for name in row))
    lacking = next((place for row, place in zip(rows, places, strict=True) if target not in row), None)
    if target in names and lacking is not None:
        raise HarnessError(f"{lines.place(lacking)}: no '{target}', while others of the file have one")
    numbers = [int(lines.lines[index]) for index in places] if lines.lines is not None else None
    return Table(str(path), tuple(names), lambda name: [row[name] for row in rows], range(len(rows)), numbers)


def _part(whole: Any, key: str, kind: type, where: str) -> Any:
    return part_of(whole if isinstance(whole, dict) else {}, key, kind, where)
