"""Predictions one by one: gold labels, what each model said, and which went from right to wrong between two models."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.core.errors import HarnessError
from harness.core.families import LIBRARY
from harness.core.items import in_words
from harness.core.libraries import answer_in
from harness.core.ranks import Retrieved
from harness.core.ranks import in_words as ranks_in_words
from harness.data.modalities import Shown
from harness.metrics.correctness import judge, right
from harness.report.page.items import Gallery
from harness.report.page.retrieved import rows_of, side_by_side
from harness.report.tables.comparable import Draft, Record
from harness.report.tables.pairs import counted
from harness.report.tables.table import Table

if TYPE_CHECKING:
    import numpy as np

SHOWN = 150
"""Examples of a split that are put into the page."""
LONGEST = 400
"""Characters of a field, of a prediction and of a reference that are kept."""
MODELS = 16
"""Models of a table whose predictions are put into the page."""


@dataclass(frozen=True)
class Predicted:
    """The stored predictions of one score record: ids, values (n,) and references (n,), None where there are none, and
    the names of its classes; of a retrieval what stood first, None where its record does not say it.
    """

    ids: Sequence[str]
    values: np.ndarray
    references: np.ndarray | None
    labels: Sequence[str] = ()
    retrieved: Retrieved | None = None


@dataclass(frozen=True)
class Texts:
    """The fields of a split by column, or why they are not at hand."""

    fields: Mapping[str, Sequence[str]]
    reason: str = ""


Load = Callable[[Record], Predicted]
Read = Callable[[Record], Texts]


def of_table(
    key: str, title: str, table: Table, draft: Draft, load: Load, read: Read, gallery: Gallery | None = None
) -> list[dict[str, Any]]:
    """A view a task and split, in the order of the columns, of the first seed of the first `MODELS` rows; its items are
    shown by the `gallery`, which the tables of a page share.
    """
    gallery = gallery or Gallery()
    views = []
    for column in table.columns:
        for split in column.n:
            chosen = []
            for row in table.rows[:MODELS]:
                records = [
                    record
                    for record in draft.models[row.model]
                    if record.task.name == column.task and record.split == split
                ]
                if records:
                    chosen.append((row.label, min(records, key=lambda record: record.seed)))
            if chosen:
                views.append(
                    {
                        "section": key,
                        "title": title,
                        "task": column.task,
                        "split": split,
                        "left_out": max(0, len(table.rows) - MODELS),
                        **_view(chosen, load, read, gallery),
                    }
                )
    return views


def _view(chosen: Sequence[tuple[str, Record]], load: Load, read: Read, gallery: Gallery) -> dict[str, Any]:
    """Counts are over all examples; predictions and texts of `SHOWN` of them, those that models differ on first."""
    record = chosen[0][1]
    loaded = [(label, answers.seed, load(answers)) for label, answers in chosen]
    first = loaded[0][2]
    same = [(label, seed, answers) for label, seed, answers in loaded if list(answers.ids) == list(first.ids)]
    names = list(first.labels)
    is_right = [correctness(record, answers.values, answers.references) for _, _, answers in same]
    by_interest = _chosen_examples(len(first.ids), [answers.values for _, _, answers in same], is_right)
    indices = sorted(by_interest)
    texts = read(record)
    of_ranks = _are_ranks(record)
    wanted = rows_of([answers.retrieved for _, _, answers in same], by_interest) if of_ranks else by_interest
    showing = gallery.show(record.task.family, texts.fields, wanted)
    shown = dict(zip(wanted, showing.rows, strict=False))
    known = [right for right in is_right if right is not None]
    compare = len(known) == len(same)
    return {
        "n": len(first.ids),
        "models": [
            {"label": label, "seed": seed, "right": None if right is None else sum(right)}
            for (label, seed, _), right in zip(same, is_right, strict=True)
        ],
        "lost": [[_lost(answers, other) for other in known] for answers in known] if compare else None,
        "labels": names,
        "fields": list(texts.fields),
        "no_texts": texts.reason,
        "ids": [str(first.ids[index]) for index in indices],
        "texts": [[clipped(in_words(column[index])) for column in texts.fields.values()] for index in indices],
        "shown": [shown[index] for index in indices] if shown else [],
        "not_shown": showing.reason,
        "gold": None
        if first.references is None or of_ranks
        else [_plain(first.references[index], names) for index in indices],
        "said": [
            [
                _plain(ranks_in_words(value) if of_ranks else _answer(record, value), names)
                for value in answers.values[indices]
            ]
            for _, _, answers in same
        ],
        "is_right": ["".join("01"[right[index]] for index in indices) for right in known] if compare else None,
        **(_side_by_side(record, same, texts, shown, indices) if of_ranks else {}),
    }


def _side_by_side(
    record: Record,
    models: Sequence[tuple[str, int, Predicted]],
    texts: Texts,
    shown: Mapping[int, Sequence[Shown | None]],
    indices: Sequence[int],
) -> dict[str, Any]:
    answers = [(answer.values, answer.retrieved) for _, _, answer in models]
    return side_by_side(record.task.family, models[0][2].ids, texts.fields, shown, answers, indices)


def _answer(record: Record, value: Any) -> Any:
    """What of a prediction a reader sees: of a task library's outcome the answer."""
    return answer_in(value) if record.task.family == LIBRARY.name else value


def _are_ranks(record: Record) -> bool:
    """Whether its predictions are ranks of items and captions."""
    try:
        return any(metrics.get(name).inputs == "ranks" for name in record.scores)
    except HarnessError:
        return False


def correctness(record: Record, predictions: np.ndarray, references: np.ndarray | None) -> list[bool] | None:
    """Which predictions are right; None where a prediction is not right or wrong, or its metric is not known here."""

    if references is None or not record.scores:
        return None
    try:
        metric = judge(record.scores, counted(record))
        return None if metric is None else [bool(is_right) for is_right in right(metric, predictions, references)]
    except HarnessError:
        return None


def _chosen_examples(n: int, predictions: Sequence[np.ndarray], is_right: Sequence[Sequence[bool] | None]) -> list[int]:
    """At most `SHOWN`, first those where some models are right and some wrong, then those where predictions differ
    or all are wrong, then the first others.
    """
    known = [right for right in is_right if right is not None]

    def rank(index: int) -> tuple[int, int]:
        verdicts = {right[index] for right in known}
        if len(verdicts) > 1:
            return 0, index
        differ = len({str(values[index]) for values in predictions}) > 1
        return (1 if differ or verdicts == {False} else 2), index

    return sorted(range(n), key=rank)[:SHOWN]


def _lost(is_right: Sequence[bool], other: Sequence[bool]) -> int:
    return sum(mine and not theirs for mine, theirs in zip(is_right, other, strict=True))


def _plain(value: Any, names: Sequence[str]) -> str | int | float:
    """A class as its number where labels name it (the page looks it up), a number rounded, texts joined and cut."""
    if isinstance(value, tuple | list):
        return clipped(" | ".join(map(str, value)))
    if isinstance(value, str):
        return clipped(value)
    number = float(value)
    if names and number == int(number) and 0 <= number < len(names):
        return int(number)
    return int(number) if number == int(number) else float(f"{number:.4g}")


def clipped(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
