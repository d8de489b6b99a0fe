"""Selective answers: risk and coverage of classifiers that answer only where they are confident."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.report.tables import formats
from harness.report.tables.by_split import tables_json, tables_of, task_names
from harness.report.tables.comparable import Record
from harness.stats import selective
from harness.stats.aggregate import Estimate, over_seeds
from harness.stats.selective import COVERAGES, Measured

LEAST = 20
"""Examples below which nothing is said of the order of answers."""
NOTES = (
    "Answers by confidence, the largest probability. AURC ×100: the area under the risk–coverage curve, the mean "
    "fraction of wrong answers among the k most confident ones over all k; excess: how much of it an order with every "
    "right answer first would not have (Geifman & El-Yaniv 2017; Geifman et al. 2019). Of both, less is better. AUROC "
    "×100: the probability that a right answer has more confidence than a wrong one (Hendrycks & Gimpel 2017), 50 "
    "where confidence says nothing.",
    "Accuracy at a coverage: of that fraction of the examples, the most confident ones. Examples of equal confidence "
    "count as the mean over their orders. 95 % intervals by the bootstrap over examples and, with several seeds, their "
    "spread.",
)

ReportOf = Callable[[Record], selective.Selective | None]
"""The selective answers of a score record; None where they are no classes or have no logits."""


@dataclass(frozen=True)
class Row:
    """A model on a split of a task: as `harness.stats.selective.Selective`, over seeds."""

    task: str
    split: str
    model: str
    seeds: int
    n: int
    accuracy: float
    aurc: Estimate
    excess: Estimate
    auroc: Estimate | None
    accuracies: tuple[Estimate, ...]
    curve: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Table:
    """The rows that may stand in one table."""

    title: str
    rows: tuple[Row, ...]


def build(records: Sequence[Record], order: Sequence[str], report_of: ReportOf) -> list[Table]:
    """Tables of the models whose classes have logits; `order` is that of the tasks."""

    def place(row: Row) -> tuple[int, str, float, str]:
        return order.index(row.task), row.split, row.aurc.value, row.model

    made = tables_of("selective answers", records, report_of, _row, place, LEAST)
    return [Table(title, rows) for title, rows in made]


def _row(task: str, split: str, model: str, reports: Sequence[selective.Selective]) -> Row:
    def over(values: Sequence[Measured]) -> Estimate:
        return over_seeds([(value.value, value.low, value.high) for value in values], (0.0, 1.0))

    ranked = [report.auroc for report in reports if report.auroc is not None]
    points = zip(*(report.curve for report in reports), strict=True)
    return Row(
        task=task,
        split=split,
        model=model,
        seeds=len(reports),
        n=reports[0].n,
        accuracy=fmean(report.accuracy for report in reports),
        aurc=over([report.aurc for report in reports]),
        excess=over([report.excess for report in reports]),
        auroc=over(ranked) if len(ranked) == len(reports) else None,
        accuracies=tuple(map(over, zip(*(report.accuracies for report in reports), strict=True))),
        curve=tuple((at[0][0], fmean(risk for _, risk in at)) for at in points),
    )


def header() -> list[str]:
    """The columns of a table."""
    at = [f"accuracy at {100 * coverage:g} %" for coverage in COVERAGES]
    return ["task", "model", "seeds", "examples", "accuracy", *at, "AURC", "excess", "AUROC"]


def cells(row: Row) -> list[str]:
    """The texts of a row behind its task."""
    return [
        row.model,
        str(row.seeds),
        str(row.n),
        f"{100 * row.accuracy:.1f}",
        *(formats.number(accuracy) for accuracy in row.accuracies),
        formats.number(row.aurc),
        formats.number(row.excess),
        formats.NONE if row.auroc is None else formats.number(row.auroc),
    ]


def lines(table: Table) -> list[list[str]]:
    """The texts of a table's rows."""
    return [[task, *cells(row)] for task, row in zip(task_names(table.rows), table.rows, strict=True)]


def to_markdown(table: Table) -> str:
    """Rows of tasks and models."""
    body = [[formats.escaped(task), formats.escaped(model), *numbers] for task, model, *numbers in lines(table)]
    return formats.markdown_table(table.title, header(), body, NOTES)


def to_json(tables: Sequence[Table]) -> str:
    """Everything, at full precision, scale 0…1."""
    return tables_json(tables, NOTES, coverages=COVERAGES)
