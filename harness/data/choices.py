"""Answers to choose from as sources hold them: a list, a list of texts with their letters, or a column for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

from harness.core.errors import HarnessError
from harness.core.source_specs import Columns
from harness.core.text import shown
from harness.data.labels import HIDDEN, as_text
from harness.data.table import Table, alternatives, require_column

MOST = len(ascii_uppercase)
TEXTS, KEYS = "text", "label"
"""What a mapping calls the answers and their letters."""


def letters(count: int) -> tuple[str, ...]:
    """What answers are called by position: A, B, C, …."""
    return tuple(ascii_uppercase[:count])


def choices_of(table: Table, columns: Columns, name: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The answers of n questions, and what each row calls them, nothing where it does not.

    Of several columns that are there each holds an answer.

    Raises:
        HarnessError: no column, a value that is no list of texts, or fewer than two answers or more than 26.
    """
    present = [column for column in alternatives(columns, name) if column in table.names]
    if not present:
        require_column(columns, name, table)
    values = [table.read_column(column) for column in present]
    rows, keys = [], []
    for index, cells in enumerate(zip(*values, strict=True)):
        whole: Any = cells[0] if len(present) == 1 else list(cells)
        given: Sequence[Any] = ()
        if isinstance(whole, Mapping):
            whole, given = whole.get(TEXTS), whole.get(KEYS, ())
        elif isinstance(whole, list | tuple) and whole and all(isinstance(value, Mapping) for value in whole):
            whole, given = [value.get(TEXTS) for value in whole], [value.get(KEYS) for value in whole]
        if isinstance(whole, str) or not isinstance(whole, Sequence):
            kind = "nothing" if whole is None else type(whole).__name__
            raise HarnessError(
                f"{table.place(index)}: column '{present[0]}' should hold a list of answers, found {kind}"
            )
        answers = [answer for answer in whole if answer is not None] if len(present) > 1 else list(whole)
        for answer in answers:
            if not isinstance(answer, str) or not answer.strip():
                raise HarnessError(f"{table.place(index)}: an answer to choose from is {shown(str(answer))}, no text")
        if not 1 < len(answers) <= MOST:
            raise HarnessError(f"{table.place(index)}: {len(answers)} answers to choose from; give 2 to {MOST}")
        rows.append(tuple(" ".join(answer.split("\n")) for answer in answers))
        keys.append(tuple(map(str, given)) if given and len(given) == len(answers) else ())
    return rows, keys


def right_choices(
    table: Table, column: str, rows: Sequence[Sequence[str]], keys: Sequence[Sequence[str]], declared: Sequence[str]
) -> tuple[int, ...] | None:
    """Which answer is right, from 0; None where all of that is withheld.

    By what the row calls its answers, or the task's `labels` in order; where neither says, by letter (A is the first)
    or position from 0; or by the answer itself.

    Raises:
        HarnessError: a label that says none of a row's answers, or none beside rows with one.
    """
    texts = [as_text(value, table, index) for index, value in enumerate(table.read_column(column))]
    if all(text in ("", HIDDEN) for text in texts):
        return None
    right = []
    for index, text in enumerate(texts):
        names = list(keys[index] or declared)
        answers = list(rows[index])
        if text in names:
            place = names.index(text)
        elif not names and text.removesuffix(".0").isdecimal():
            place = int(text.removesuffix(".0"))
        elif not names and len(text) == 1 and text.upper() in ascii_uppercase:
            place = ascii_uppercase.index(text.upper())
        elif text in answers:
            place = answers.index(text)
        else:
            place = len(answers)
        if place >= len(answers):
            known = ", ".join(names) or f"A to {ascii_uppercase[len(answers) - 1]}, or 0 to {len(answers) - 1}"
            raise HarnessError(
                f"{table.place(index)}: the label {shown(text)} is none of the {len(answers)} answers ({known})"
            )
        right.append(place)
    return tuple(right)
