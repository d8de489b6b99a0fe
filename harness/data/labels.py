"""Labels as sources spell them, turned into class ids or numbers."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.core.specs import TaskSpec
from harness.data.table import Table

HIDDEN = "-1"
"""The label of a row whose label is withheld, as the hub's copies of GLUE write it."""
POSITION = re.compile(r"(0|[1-9][0-9]*)(\.0+)?")
NAMED_AT_MOST = 10
"""Labels that a message lists of a split."""


def as_text(value: Any, table: Table, index: int) -> str:
    """A label as it is written, without white space around it; a missing one is the empty string.

    Args:
        value: What the source holds: `None` and NaN are missing, any text is a label.
        table: Where it stands.
        index: In which row.

    Returns:
        The text: `1.0` of the number 1.0, `true` of a Boolean.

    Raises:
        HarnessError: several labels for one example.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping | Iterable):
        raise HarnessError(
            f"{table.place(index)}: the label is a {type(value).__name__}, several labels for one text (multi-label "
            "classification), which is not supported; give one label a row"
        )
    return str(value)


def label_texts(table: Table, column: str) -> list[str]:
    """The n labels of a column as text; classes that the source names come by name, -1 as it is."""
    classes = table.classes.get(column, ())
    texts: dict[str, str] = {}
    labels = []
    for index, value in enumerate(table.read_column(column)):
        is_class = isinstance(value, int) and 0 <= value < len(classes)
        text = classes[value] if is_class else as_text(value, table, index)
        labels.append(texts.setdefault(text, text))  # one string for all rows of a class
    return labels


def infer_labels(texts: Iterable[str]) -> tuple[str, ...]:
    """The distinct labels, numerically sorted where all are whole numbers."""
    distinct = {text for text in texts if text}
    try:
        return tuple(sorted(distinct, key=lambda text: (int(text), text)))
    except ValueError:
        return tuple(sorted(distinct))


def is_hidden(text: str, labels: Sequence[str] | None) -> bool:
    """Whether a row has no label: it is empty, or -1 where that is no class (`labels`, None: unknown) of the task."""
    return text == "" or (text == HIDDEN and HIDDEN not in (labels or ()))


def are_withheld(values: Iterable[Any]) -> bool:
    """Whether none of a column's values is a label or a text: every one is missing, empty or -1."""
    return all(
        value is None or value == -1 or value != value or (isinstance(value, str) and value.strip() in ("", HIDDEN))
        for value in values
    )


class Vocabulary:
    """From a label as text to its class id.

    Of classes that the task declares: by name or alias, else by either in any letter case; or by position, counted
    from 0, where no label of the data is a name. Of classes inferred from the training split: as written.
    """

    def __init__(self, task: TaskSpec, labels: Sequence[str]) -> None:
        self.labels = tuple(labels)
        self._declared = task.labels is not None
        self._ids = {label: index for index, label in enumerate(labels)}
        self._folded: dict[str, int] = {}
        if self._declared:
            self._folded = {label.casefold(): index for index, label in reversed(list(enumerate(labels)))}
            self._folded |= {alias.casefold(): self._ids[label] for alias, label in task.label_aliases.items()}
            exact = {alias: self._ids[label] for alias, label in task.label_aliases.items()}
            self._ids = {**exact, **self._ids}
        self._positions: dict[str, int] = {}

    def __contains__(self, text: str) -> bool:
        return text in self._ids or text.casefold() in self._folded or text in self._positions

    def settle(self, texts: Mapping[str, tuple[Table, Sequence[str]]]) -> None:
        """Decide from the labels of all splits whether they are names or positions.

        Args:
            texts: For each split its table and its labels as text; missing ones are not among them.

        Raises:
            HarnessError: some are names and some positions, or the splits spell their labels differently.
        """
        if not self._declared:
            return
        named: dict[str, str] = {}
        placed: dict[str, str] = {}
        for split, (_, labels) in texts.items():
            for text in labels:
                if text in self:
                    named.setdefault(text, split)
                elif POSITION.fullmatch(text) and int(float(text)) < len(self.labels):
                    placed.setdefault(text, split)
        if named and placed:
            name, position = next(iter(named)), next(iter(placed))
            raise HarnessError(
                f"{texts[placed[position]][0].where}: labels are names and positions at once: '{name}' (in "
                f"{named[name]}) is a name of the task's classes ({_some(self.labels)}), '{position}' (in "
                f"{placed[position]}) can only be a position; {_listed(texts)}; write them one way, or list the names "
                "in labels or label_aliases of the task"
            )
        self._positions = {text: int(float(text)) for text in placed}

    def check(self, split: str, train: str, texts: Mapping[str, tuple[Table, Sequence[str]]]) -> None:
        """Refuse labels of a split that those inferred from the training split do not hold.

        Raises:
            HarnessError: with both sets, and the place of the first label that is not among them.
        """
        table, labels = texts[split]
        unknown_at = next((index for index, text in enumerate(labels) if text and text not in self), None)
        if self._declared or split == train or unknown_at is None:
            return
        raise HarnessError(
            f"{table.place(unknown_at)}: the label '{labels[unknown_at]}' is none of the training split's: "
            f"{_listed({train: (table, self.labels), split: (table, labels)})}; write them alike, or declare labels "
            f"and label_aliases in the task's file.{_hint(labels[unknown_at], self.labels)}"
        )

    def id(self, text: str, place: str) -> int:
        """Raises HarnessError with `place`, the label and the known ones."""
        for ids, key in ((self._ids, text), (self._folded, text.casefold()), (self._positions, text)):
            if key in ids:
                return ids[key]
        raise HarnessError(
            f"{place}: unknown label '{text}'; known labels: {_some(self.labels)}.{_hint(text, self.labels)}"
        )


def _hint(text: str, labels: Sequence[str]) -> str:
    if text in ("-", "?", "n/a", "N/A", "none", "None"):
        return f" If it marks a row without a label, declare missing_labels: ['{text}'] in the task's file"
    hint = did_you_mean(text, labels)
    return hint if hint.startswith(" Did") else ""


def _listed(texts: Mapping[str, tuple[Table, Sequence[str]]]) -> str:
    return ", ".join(f"{split} has {_some(infer_labels(labels))}" for split, (_, labels) in texts.items())


def _some(labels: Sequence[str]) -> str:
    shown = ", ".join(label if label else "''" for label in labels[:NAMED_AT_MOST])
    return shown if len(labels) <= NAMED_AT_MOST else f"{shown}, … ({len(labels)} in all)"


def class_ids(table: Table, texts: Sequence[str], vocabulary: Vocabulary) -> tuple[int, ...]:
    """n class ids. Raises HarnessError with file and line for an unknown label or a row without one."""
    known: dict[str, int] = {}
    for index, text in enumerate(texts):
        if text in known:
            continue
        if is_hidden(text, vocabulary.labels) and text not in vocabulary:
            raise HarnessError(f"{table.place(index)}: no label, while other rows of the split have one")
        known[text] = vocabulary.id(text, table.place(index))
    return tuple(known[text] for text in texts)


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
