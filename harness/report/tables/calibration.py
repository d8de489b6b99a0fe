"""Calibration of classifiers before and after a temperature."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, geometric_mean

from harness.report.tables import formats
from harness.report.tables.by_split import tables_json, tables_of, task_names
from harness.report.tables.comparable import Record
from harness.stats import calibration
from harness.stats.aggregate import Estimate, over_seeds
from harness.stats.calibration import Calibration, Measured

LEAST = 20
"""Examples below which no temperature is fitted."""

NOTES = (
    "ECE: expected calibration error ×100, 15 bins of equal width; behind it in round brackets what a perfectly "
    "calibrated model with these confidences would show on so many examples, since chance alone makes it positive. "
    "Brier score, 0 to 2; NLL: negative log-likelihood in nats. Of all, less is better.",
    "→: after temperature scaling. Each half of the examples, cut by the hash of their ids, is scaled by the "
    "temperature T fitted to the other (over seeds, their geometric mean). Accuracy stays. 95 % intervals by the "
    "bootstrap over examples with T held, and, with several seeds, their spread.",
)

ReportOf = Callable[[Record], calibration.Report | None]
"""The calibration of a score record's predictions; None where they are no classes or have no logits."""


@dataclass(frozen=True)
class State:
    """Calibration over seeds, before or after scaling. `ece_if_calibrated`: the error chance alone would show."""

    ece: Estimate
    ece_if_calibrated: float
    brier: Estimate
    nll: Estimate


@dataclass(frozen=True)
class Row:
    """A model on a split of a task. `temperatures` are those of the first half and of the second, by seed."""

    task: str
    split: str
    model: str
    seeds: int
    n: int
    accuracy: float
    before: State
    after: State
    temperatures: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Table:
    """The rows that may stand in one table."""

    title: str
    rows: tuple[Row, ...]


def build(records: Sequence[Record], order: Sequence[str], report_of: ReportOf) -> list[Table]:
    """Tables of the models whose classes have logits; `order` is that of the tasks."""

    def place(row: Row) -> tuple[int, str, float, str]:
        return order.index(row.task), row.split, row.before.nll.value, row.model

    made = tables_of("calibration", records, report_of, _row, place, LEAST)
    return [Table(title, rows) for title, rows in made]


def _row(task: str, split: str, model: str, reports: Sequence[calibration.Report]) -> Row:
    return Row(
        task=task,
        split=split,
        model=model,
        seeds=len(reports),
        n=reports[0].n,
        accuracy=fmean(report.accuracy for report in reports),
        before=_state([report.before for report in reports]),
        after=_state([report.after for report in reports]),
        temperatures=tuple(report.temperatures for report in reports),
    )


def _state(measured: Sequence[Calibration]) -> State:
    def over(values: Sequence[Measured], high: float | None) -> Estimate:
        return over_seeds([(value.value, value.low, value.high) for value in values], (0.0, high))

    return State(
        ece=over([state.ece for state in measured], 1.0),
        ece_if_calibrated=fmean(state.ece.if_calibrated or 0.0 for state in measured),
        brier=over([state.brier for state in measured], 2.0),
        nll=over([state.nll for state in measured], None),
    )


def to_markdown(table: Table) -> str:
    """Rows of tasks and models; each measure before and after."""

    def ece(state: State) -> str:
        return f"{formats.number(state.ece)} ({100 * state.ece_if_calibrated:.1f})"

    def plain(estimate: Estimate) -> str:
        sd = f" ±{estimate.sd:.3f}" if estimate.sd is not None else ""
        return f"{estimate.value:.3f}{sd} [{estimate.low:.3f}, {estimate.high:.3f}]"

    header = ["task", "model", "seeds", "examples", "accuracy", "T", "ECE", "→ ECE"]
    header += ["Brier", "→ Brier", "NLL", "→ NLL"]
    body = [
        [
            formats.escaped(task),
            formats.escaped(row.model),
            str(row.seeds),
            str(row.n),
            f"{100 * row.accuracy:.1f}",
            " / ".join(f"{geometric_mean(half):.2f}" for half in zip(*row.temperatures, strict=True)),
            ece(row.before),
            ece(row.after),
            plain(row.before.brier),
            plain(row.after.brier),
            plain(row.before.nll),
            plain(row.after.nll),
        ]
        for task, row in zip(task_names(table.rows), table.rows, strict=True)
    ]
    return formats.markdown_table(table.title, header, body, NOTES)


def to_json(tables: Sequence[Table]) -> str:
    """Everything, at full precision, scale 0…1."""
    return tables_json(tables, NOTES)
