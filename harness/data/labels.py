"""Labels as sources spell them, turned into class ids or numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.core.specs import TaskSpec
from harness.data.table import Table

UNDECIDED = "-"
"""How NLI corpora mark a pair whose annotators found no majority."""


def spelling(value: Any) -> str:
    """A label as text: 1, 1.0, "1" and " 1" are the same label; a missing one is the empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def spellings(table: Table, column: str) -> list[str]:
    """The n labels of a column as text; classes that the source names come by name, -1 as it is."""
    values = table.read_column(column)
    classes = table.classes.get(column)
    if classes is None:
        return [spelling(value) for value in values]
    return [
        classes[value] if isinstance(value, int) and 0 <= value < len(classes) else spelling(value) for value in values
    ]


def infer_labels(texts: Sequence[str]) -> tuple[str, ...]:
    """The distinct labels, numerically sorted where all are whole numbers."""
    distinct = {text for text in texts if text}
    try:
        return tuple(sorted(distinct, key=lambda text: (int(text), text)))
    except ValueError:
        return tuple(sorted(distinct))


def are_missing(texts: Sequence[str]) -> bool:
    """Whether a split has no labels at all: every one is empty or -1."""
    return all(text in ("", "-1") for text in texts)


class Vocabulary:
    """From a label as text to its class id: by name, else by name or alias in any case, else by id."""

    def __init__(self, task: TaskSpec, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._exact = {label: index for index, label in enumerate(labels)}
        self._loose = {label.casefold(): index for index, label in reversed(list(enumerate(labels)))}
        for alias, label in task.label_aliases.items():
            self._loose[alias.casefold()] = self._exact[label]
        # An inferred vocabulary has no ids of its own that a source could mean.
        if task.labels is not None:
            for index in range(len(labels)):
                self._loose.setdefault(str(index), index)

    def __contains__(self, text: str) -> bool:
        return text in self._exact or text.casefold() in self._loose

    def id(self, text: str, place: str) -> int:
        """Raises HarnessError with `place`, the label and the known ones."""
        if text in self._exact:
            return self._exact[text]
        found = self._loose.get(text.casefold())
        if found is None:
            known = ", ".join(self.labels)
            hint = did_you_mean(text, self.labels)
            hint = hint if hint.startswith(" Did") else ""
            raise HarnessError(f"{place}: unknown label '{text}'; known labels: {known}.{hint}")
        return found


def class_ids(table: Table, texts: Sequence[str], vocabulary: Vocabulary) -> tuple[int, ...]:
    """n class ids. Raises HarnessError with file and line for an unknown label or a row without one."""
    ids = []
    for index, text in enumerate(texts):
        if text == "" or (text == "-1" and text not in vocabulary):
            raise HarnessError(f"{table.place(index)}: no label, while other rows of the split have one")
        ids.append(vocabulary.id(text, table.place(index)))
    return tuple(ids)


def numbers(table: Table, texts: Sequence[str], limits: tuple[float, float] | None) -> tuple[float, ...]:
    """n finite floats. Raises HarnessError with file and line for anything else, or one outside `limits`."""
    values = []
    for index, text in enumerate(texts):
        if text == "":
            raise HarnessError(f"{table.place(index)}: no label, while other rows of the split have one")
        try:
            value = float(text)
        except ValueError:
            raise HarnessError(f"{table.place(index)}: the label '{text}' is not a number") from None
        if not math.isfinite(value):
            raise HarnessError(f"{table.place(index)}: the label '{text}' is not a finite number")
        if limits is not None and not limits[0] <= value <= limits[1]:
            raise HarnessError(f"{table.place(index)}: the label {text} is not between {limits[0]:g} and {limits[1]:g}")
        values.append(value)
    return tuple(values)
