"""Words and their tags as sources hold them: lists, or texts with spaces between; classes by name or number."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.core.iob import IOB, NO_IOB, OUTSIDE
from harness.core.specs import TaskSpec
from harness.data.labels import HIDDEN, Vocabulary
from harness.data.table import Table

Sequences = list[tuple[str, ...]]
BILOU = {"L": "E", "U": "S"}
"""Prefixes that others have for the end of an entity and for an entity of one word."""


def word_sequences(table: Table, column: str) -> Sequences:
    """The words of n texts.

    Raises:
        HarnessError: a value that is neither a list of words nor a text, or a word with a space in it.
    """
    rows = [_parts(value, table, index, column, "words") for index, value in enumerate(table.read_column(column))]
    for index, row in enumerate(rows):
        for word in row:
            if not isinstance(word, str):
                raise HarnessError(
                    f"{table.place(index)}: column '{column}' should hold words, found {type(word).__name__}"
                )
            if " " in word:
                raise HarnessError(
                    f"{table.place(index)}: the word {word!r} has a space in it; give each word by itself"
                )
    return rows


def tag_sequences(table: Table, column: str, words: Sequences) -> Sequences | None:
    """The tags of n texts as written, classes that the source names by name; None where all of them are withheld.

    Raises:
        HarnessError: another number of tags than of words.
    """
    classes = table.classes.get(column, ())
    rows: Sequences = []
    for index, value in enumerate(table.read_column(column)):
        parts = _parts(value, table, index, column, "tags")
        if len(parts) != len(words[index]):
            raise HarnessError(
                f"{table.place(index)}: {len(parts)} tags for {len(words[index])} words; it takes one for each"
            )
        rows.append(tuple(_name(part, classes) for part in parts))
    return None if all(tag == HIDDEN for row in rows for tag in row) else rows


def _parts(value: Any, table: Table, index: int, column: str, what: str) -> tuple[Any, ...]:
    if isinstance(value, str):
        return tuple(value.split())
    if isinstance(value, Sequence) or hasattr(value, "tolist"):
        return tuple(value)
    raise HarnessError(
        f"{table.place(index)}: column '{column}' should hold a list of {what}, found "
        f"{'nothing' if value is None else type(value).__name__}"
    )


def _name(tag: Any, classes: Sequence[str]) -> str:
    if isinstance(tag, str):
        return tag.strip()
    return classes[tag] if isinstance(tag, int) and 0 <= tag < len(classes) else str(tag)


def inferred(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags of a training split, with those that the same entities elsewhere need: who begins may go on. O is first,
    the others by type.
    """
    seen = set(tags) | {OUTSIDE}
    prefixes = {tag[0] for tag in seen if tag != OUTSIDE} | {"I"}
    kinds = sorted({tag[2:] for tag in seen if tag != OUTSIDE})
    return (OUTSIDE, *(f"{prefix}-{kind}" for kind in kinds for prefix in "BIES" if prefix in prefixes))


def checked(
    task: TaskSpec, labels: Sequence[str], texts: Mapping[str, tuple[Table, Sequences]]
) -> tuple[dict[str, Sequences], list[str]]:
    """The tags of all splits by the names of the task's, and notes on those that training cannot teach.

    Args:
        task: The task; where it declares labels, other tags are refused.
        labels: Its tags.
        texts: For each split its table and its tags.

    Raises:
        HarnessError: a tag that is none of IOB, or none of the task's; with its place.
    """
    vocabulary = Vocabulary(task, labels)
    flat = {split: (table, list(dict.fromkeys(chain(*rows)))) for split, (table, rows) in texts.items()}
    vocabulary.settle(flat)
    named: dict[str, Sequences] = {}
    notes = []
    for split, (table, rows) in texts.items():
        meanings: dict[str, str] = {}
        for index, row in enumerate(rows):
            for tag in row:
                if tag not in meanings:
                    meanings[tag] = _checked(tag, task, vocabulary, table.place(index))
        named[split] = [tuple(meanings[tag] for tag in row) for row in rows]
        untaught = sorted(set(meanings.values()) - set(labels))
        if untaught:
            notes.append(f"{split}: {', '.join(untaught)} are no tags of the training split; no model can learn them")
    return named, notes


def check_names(task: TaskSpec) -> None:
    """Raises HarnessError for declared labels that are no IOB tags."""
    for tag in task.labels or ():
        if not IOB.fullmatch(tag):
            raise HarnessError(f"task '{task.name}': labels: '{tag}' is {_no_iob(tag)}")


def _checked(tag: str, task: TaskSpec, vocabulary: Vocabulary, place: str) -> str:
    if not IOB.fullmatch(tag) and tag not in vocabulary:
        raise HarnessError(f"{place}: the tag '{tag}' is {_no_iob(tag)}")
    return tag if task.labels is None else vocabulary.labels[vocabulary.id(tag, place)]


def _no_iob(tag: str) -> str:
    if tag.isdecimal():
        return f"a number, whose name nobody says; {NO_IOB}. Declare labels in the task's file, in the numbers' order"
    other = BILOU.get(tag[:1]) if tag[1:2] == "-" else None
    hint = f". What is {tag[:2]} there is {other}- here." if other else did_you_mean(tag[:1].upper() + tag[1:], ["O"])
    return NO_IOB + (hint if hint.startswith((". What", " Did")) else "")
