"""Worst groups: the class and the length of text on which a model is least right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from harness.report.tables import formats
from harness.report.tables.by_split import newest, tables_json, task_names
from harness.report.tables.comparable import Record, comparable, labels_of
from harness.stats.groups import LEAST, Group, WorstGroup, worst_group

if TYPE_CHECKING:
    import numpy as np

NOTES = (
    "Fractions of right answers ×100. The worst group is chosen by the answers it is judged by: its interval is "
    "Wilson's at 1 − 0.05 / k for k groups, which holds whichever of them is the worst (Bonferroni), and, with several "
    "seeds, their spread. By chance: what the worst of groups of these sizes would have on average if none were harder "
    f"than another. Groups of fewer than {LEAST} examples are named, and not judged.",
)


@dataclass(frozen=True)
class Answers:
    """Of one score record.

    Attributes:
        right: Which answers are right, (n,) of 0 and 1.
        groups: For each way to cut the split (`class`, `length`) the group of each of the n examples.
        missing: Why a way is not there, in words.
    """

    right: np.ndarray
    groups: Mapping[str, Sequence[str]]
    missing: str = ""


AnswersOf = Callable[[Record], Answers | None]
"""The answers of a score record; None where they are not right or wrong."""


@dataclass(frozen=True)
class Row:
    """A model on a split of a task, cut `by` class or length."""

    task: str
    split: str
    model: str
    by: str
    seeds: int
    n: int
    accuracy: float
    groups: tuple[Group, ...]
    too_small: tuple[tuple[str, int], ...]
    by_chance: float


@dataclass(frozen=True)
class Table:
    """The rows that may stand in one table, and what is not in it."""

    title: str
    rows: tuple[Row, ...]
    missing: tuple[str, ...] = ()


def build(records: Sequence[Record], order: Sequence[str], answers_of: AnswersOf) -> list[Table]:
    """Tables of the models whose answers are right or wrong; `order` is that of the tasks."""
    tables = []
    for draft in comparable(records):
        labels = labels_of([records[0] for records in draft.models.values()])
        rows: list[Row] = []
        missing: dict[str, None] = {}
        for model, records in draft.models.items():
            for by_seed in newest(record for record in records if record.scores):
                answers = [of_seed for record in by_seed if (of_seed := answers_of(record)) is not None]
                judged, too_few = _rows(by_seed[0], labels[model], answers)
                rows += judged
                missing |= dict.fromkeys(too_few)
                missing |= dict.fromkeys(
                    f"{by_seed[0].task.name}: {of_seed.missing}" for of_seed in answers if of_seed.missing
                )
        if rows:
            rows.sort(key=lambda row: (order.index(row.task), row.split, row.by, -row.groups[0].score.value, row.model))
            every = [record for records in draft.models.values() for record in records]
            tables.append(Table(formats.heading_of("worst groups", every), tuple(rows), tuple(missing)))
    return tables


def _rows(record: Record, model: str, answers: Sequence[Answers]) -> tuple[list[Row], list[str]]:
    """A row for each way to cut the split, and in words where there are not two groups to compare."""
    rows, too_few = [], []
    for way in dict.fromkeys(way for answer in answers for way in answer.groups):
        groups = answers[0].groups[way]
        judged: WorstGroup | None = worst_group([answer.right for answer in answers], groups)
        if judged is None:
            sizes = ", ".join(f"{name} ({count})" for name, count in Counter(groups).items())
            too_few.append(f"{record.task.name} by {way}: not two groups of {LEAST} examples: {sizes}")
            continue
        accuracy = fmean(float(answer.right.mean()) for answer in answers)
        rows.append(
            Row(
                record.task.name, record.split, model, way, len(answers), len(answers[0].right), accuracy,
                judged.groups, judged.too_small, judged.by_chance,
            )
        )  # fmt: skip
    return rows, too_few


HEADER = ("task", "model", "seeds", "examples", "accuracy", "by", "groups", "worst", "its examples", "its accuracy",
          "by chance", "too few examples")  # fmt: skip


def lines(table: Table) -> list[list[str]]:
    """The texts of a table's rows."""
    return [
        [
            task,
            row.model,
            str(row.seeds),
            str(row.n),
            f"{100 * row.accuracy:.1f}",
            row.by,
            str(len(row.groups)),
            row.groups[0].name,
            str(row.groups[0].n),
            formats.number(row.groups[0].score),
            f"{100 * row.by_chance:.1f}",
            ", ".join(f"{name} ({count})" for name, count in row.too_small) or formats.NONE,
        ]
        for task, row in zip(task_names(table.rows), table.rows, strict=True)
    ]


def notes(table: Table) -> list[str]:
    """How to read it, and what is not in it."""
    return [*NOTES, *([f"Not there: {'; '.join(table.missing)}."] if table.missing else [])]


def to_markdown(table: Table) -> str:
    """Rows of tasks, models and ways to cut the examples."""
    body = [
        [formats.escaped(text) for text in line[:9]] + line[9:11] + [formats.escaped(line[11])] for line in lines(table)
    ]
    return formats.markdown_table(table.title, HEADER, body, notes(table))


def to_json(tables: Sequence[Table]) -> str:
    """Everything, at full precision, scale 0…1."""
    return tables_json(tables, NOTES)
