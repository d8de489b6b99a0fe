"""The failing examples of tests of behaviour, from stored predictions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from harness.core.errors import DamagedFileError
from harness.core.predictions import PREDICTIONS, read_columns
from harness.core.store import Store
from harness.report.tables.checks import Failing
from harness.report.tables.comparable import Record

COLUMNS = ("prediction", "test", "original", "changed", "before", "after")


def failing_reader(
    store: Store, names: Callable[[Record], Sequence[str]]
) -> Callable[..., Mapping[str, list[Failing]]]:
    """A function that reads the failing examples of a record, by test; `names` gives the classes of its task."""

    def read(record: Record) -> Mapping[str, list[Failing]]:
        path = store.file(record.cell, PREDICTIONS)
        known = names(record)

        def name(label: int) -> str:
            return known[label] if 0 <= label < len(known) else f"class {label}"

        failing: dict[str, list[Failing]] = {}
        for row in read_columns(path, ("id", "label", *COLUMNS)).to_pylist():
            texts = [row[column] for column in ("test", "original", "changed")]
            numbers = [row[column] for column in ("prediction", "before", "after")]
            if not all(isinstance(text, str) for text in texts) or not all(
                isinstance(number, int) for number in numbers
            ):
                raise DamagedFileError(f"{path} is damaged: its columns are not those of tests of behaviour")
            if not row["prediction"]:
                example = Failing(row["original"], row["changed"], name(row["before"]), name(row["after"]))
                failing.setdefault(row["test"], []).append(example)
        return failing

    return read
