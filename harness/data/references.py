"""Reference texts as sources hold them: one column or several, strings, lists, or SQuAD's answers with positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.errors import HarnessError
from harness.core.source_specs import Columns
from harness.data.table import Table, alternatives, require_column

STARTS = "starts"
"""The column that says where answers begin, where they are given as plain strings."""


@dataclass(frozen=True)
class References:
    """n tuples of reference texts and, of extractive ones, where each begins in the context, in characters."""

    texts: tuple[tuple[str, ...], ...]
    starts: tuple[tuple[int, ...], ...] | None = None


def read_references(
    table: Table, columns: Columns, target: str, contexts: Sequence[str] | None = None
) -> References | None:
    """The references of a split in every column that holds them; None where there are none at all.

    With `contexts`, the n texts that answers are taken from, each answer is to be found in its context, at the position
    given or else at its first; a row may then have no answer.

    Raises:
        HarnessError: a missing column, a value that is no text, a row without a reference among rows that have some,
            or an answer that is not where it is said to be.
    """
    present = [name for name in alternatives(columns, target) if name in table.names]
    if not present:
        require_column(columns, target, table)
    columns_of_texts: list[list[tuple[str, ...]]] = []
    given_starts: list[list[tuple[int, ...] | None]] = []
    for name in present:
        values = [_answers(value, table, index, name) for index, value in enumerate(table.read_column(name))]
        columns_of_texts.append([texts for texts, _ in values])
        given_starts.append([starts for _, starts in values])
    texts = tuple(tuple(text for part in row for text in part) for row in zip(*columns_of_texts, strict=True))
    if contexts is None:
        texts = tuple(tuple(text for text in row if text.strip()) for row in texts)
        if not any(texts):
            return None
        for index, row in enumerate(texts):
            if not row:
                raise HarnessError(f"{table.place(index)}: no {target}, while other rows of the split have one")
        return References(texts)
    starts: list[tuple[int, ...] | None] = given_starts[0] if len(present) == 1 else [None] * len(texts)
    if STARTS in table.names and all(start is None for start in starts):
        starts = [tuple(positions) for positions in table.read_column(STARTS)]
    located = [
        _located(row, given, context, table, index)
        for index, (row, given, context) in enumerate(zip(texts, starts, contexts, strict=True))
    ]
    return References(tuple(texts for texts, _ in located), tuple(places for _, places in located))


def _answers(value: Any, table: Table, index: int, column: str) -> tuple[tuple[str, ...], tuple[int, ...] | None]:
    """The texts of one cell and their positions where it has them."""
    if value is None:
        return (), None
    if isinstance(value, str):
        return ((value,) if value.strip() else ()), None
    if isinstance(value, Mapping) and {"text", "answer_start"} <= value.keys():
        texts, starts = value["text"], value["answer_start"]
        if isinstance(texts, str):
            texts, starts = [texts], [starts]
        if len(texts) != len(starts):
            raise HarnessError(f"{table.place(index)}: {len(texts)} answers with {len(starts)} positions")
        return _texts(texts, table, index, column), _positions(starts, table, index)
    if isinstance(value, Sequence) and all(isinstance(answer, str) for answer in value):
        return tuple(value), None
    if isinstance(value, Sequence) and all(answer is None or isinstance(answer, str) for answer in value):
        raise HarnessError(f"{table.place(index)}: column '{column}' holds null in a list of texts; leave it out")
    if isinstance(value, Sequence) and all(isinstance(answer, Mapping) and "text" in answer for answer in value):
        starts = [answer["answer_start"] for answer in value if "answer_start" in answer]
        texts = _texts([answer["text"] for answer in value], table, index, column)
        return texts, _positions(starts, table, index) if len(starts) == len(value) else None
    raise HarnessError(
        f"{table.place(index)}: column '{column}' should hold a text, a list of texts or SQuAD's answers, "
        f"found {type(value).__name__}"
    )


def _texts(values: Sequence[Any], table: Table, index: int, column: str) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str):
            raise HarnessError(
                f"{table.place(index)}: an answer in column '{column}' should be text, found {type(value).__name__}"
            )
    return tuple(values)


def _positions(values: Sequence[Any], table: Table, index: int) -> tuple[int, ...]:
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool):
            raise HarnessError(f"{table.place(index)}: an answer's position should be a whole number, found {value!r}")
    return tuple(values)


def _located(
    answers: tuple[str, ...], given: tuple[int, ...] | None, context: str, table: Table, index: int
) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The answers as they stand in the context, and where.

    Some files trim an answer but not its position, or the other way round: white space at either end may differ.
    """
    texts, places = [], []
    for position, answer in enumerate(answers):
        if not answer.strip():
            raise HarnessError(f"{table.place(index)}: an answer is blank")
        start = given[position] if given is not None else context.find(answer)
        if start < 0 or not context.startswith(answer, start):
            answer, start = answer.strip(), _after_space(context, start)
        if start < 0 or not context.startswith(answer, start):
            where = "in its context" if given is None else f"at character {given[position]} of its context"
            raise HarnessError(f"{table.place(index)}: the answer '{answer[:60]}' does not stand {where}")
        texts.append(answer)
        places.append(start)
    return tuple(texts), tuple(places)


def _after_space(context: str, start: int) -> int:
    while 0 <= start < len(context) and context[start].isspace():
        start += 1
    return start
