"""A table of predictions: a CSV file with a line an example, of any program.

Columns: `id`; `score` or `prediction` and `label`; where there are such, `model`, `task`, `seed`, `metric` and `text`.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from harness.core.errors import HarnessError, did_you_mean
from harness.core.reading import read_text
from harness.core.text import clipped
from harness.exchange.files import SAMPLES
from harness.exchange.outcomes import Examples, Outcome, ToolResults, content_hash, is_lower_better, number, unique_ids
from harness.exchange.reader import ResultReader

COLUMNS = ("id", "prediction", "label", "score", "model", "task", "seed", "metric", "text")
LONGEST = 2**24
"""Characters of a field."""
UNKNOWN = ("training seed", "data fingerprint", "lineage", "settings")

Row = tuple[int, dict[str, str]]


class CsvReader(ResultReader):
    """See the module."""

    def recognizes(self, path: Path) -> bool:
        return path.suffix.lower() in (".csv", ".tsv") and path.is_file()

    def read(self, path: Path) -> ToolResults:
        header, rows = _rows(path)
        groups: dict[tuple[str, ...], list[Row]] = {}
        for line, row in rows:
            group = tuple(row.get(name, "") for name in ("model", "task", "seed", "metric"))
            groups.setdefault(group, []).append((line, row))
        outcomes = tuple(_outcome(path, header, group, lines) for group, lines in groups.items())
        missing = tuple(name for name in ("model", "task") if name not in header)
        return ToolResults("csv", str(path), outcomes, (*missing, *UNKNOWN))


def _rows(path: Path) -> tuple[list[str], list[Row]]:
    csv.field_size_limit(LONGEST)
    table = csv.reader(
        io.StringIO(read_text(path, SAMPLES), newline=""),
        delimiter="\t" if path.suffix.lower() == ".tsv" else ",",
        strict=True,
    )
    try:
        header = [" ".join(name.split()).lower() for name in next(table, [])]
        for name in ("id", *(() if "score" in header else ("prediction", "label"))):
            if name not in header:
                hint = "" if name == "id" else ", and no column 'score' either"
                raise HarnessError(
                    f"{path}: no column '{name}'{hint}: {clipped(', '.join(header)) or 'it is empty'}."
                    f"{did_you_mean(name, header)} Columns are {', '.join(COLUMNS)}"
                )
        if len(set(header)) < len(header):
            raise HarnessError(f"{path}: two columns have one name: {clipped(', '.join(header))}")
        rows = []
        for values in table:
            if not values:
                continue
            if len(values) != len(header):
                raise HarnessError(f"{path}, line {table.line_num}: {len(values)} fields, the header has {len(header)}")
            rows.append((table.line_num, dict(zip(header, values, strict=True))))
    except csv.Error as error:
        raise HarnessError(f"{path}, line {table.line_num}: {error}") from None
    if not rows:
        raise HarnessError(f"{path}: no example in it, the header alone")
    return header, rows


def _outcome(path: Path, header: list[str], group: tuple[str, ...], rows: list[Row]) -> Outcome:
    model, task, seed, metric = group
    ids = unique_ids([row["id"] for _, row in rows], path)

    def column(name: str) -> tuple[str, ...] | None:
        return tuple(row[name] for _, row in rows) if name in header else None

    scores = tuple(_float(row["score"], path, line) for line, row in rows) if "score" in header else None
    labels, predictions, inputs = column("label"), column("prediction"), column("text")
    if not metric:
        are_values = labels is not None and predictions is not None and _are_values(labels, predictions)
        metric = "score" if scores is not None else "pearson" if are_values else "accuracy"
    return Outcome(
        model=model or path.stem,
        task=task or path.stem,
        metric=metric,
        score=None,
        n=len(ids),
        seed=_seed(seed, path),
        greater_is_better=not is_lower_better(metric),
        examples=Examples(
            ids, scores, labels, predictions, inputs,
            None if inputs is None else tuple(content_hash([text]) for text in inputs),
        ),
    )  # fmt: skip


def _float(value: str, path: Path, line: int) -> float:
    try:
        parsed: object = float(value)
    except ValueError:
        parsed = value
    return number(parsed, f"{path}, line {line}: score")


def _seed(value: str, path: Path) -> int | None:
    if not value:
        return None
    if not value.isdecimal() or len(value) > 18:
        raise HarnessError(f"{path}: the seed {clipped(repr(value))} is no whole number")
    return int(value)


def _are_values(labels: tuple[str, ...], predictions: tuple[str, ...]) -> bool:
    """Whether answers are numbers, some of the labels not whole: values to be near to, no classes."""
    try:
        numbers = [float(value) for value in (*labels, *predictions)]
    except ValueError:
        return False
    return any(value != int(value) for value in numbers[: len(labels)] if abs(value) < 2**53)


READER = CsvReader()
