"""Leaderboards as Markdown, and what all formats share: titles, notes, cells and numbers. Names come from users: every
format escapes them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.core.hashing import short
from harness.core.source_names import SYNTHETIC
from harness.report.tables.aligned import markdown_rows
from harness.report.tables.comparable import Record
from harness.report.tables.layout import Layout, groups, metric_columns, scores_of_metric, seeds_text, shown_columns
from harness.report.tables.report_format import ReportFormat, one_after_another
from harness.report.tables.resources import text_of
from harness.report.tables.table import (
    Column,
    MetricScore,
    Row,
    Score,
    Table,
    common_location,
    joint_fingerprint,
    shown_location,
)
from harness.stats.aggregate import Estimate, over_metrics

SCHEMA_VERSION = 1
"""Of the tables as JSON."""
NONE = "–"
GENERATED = "synthetic data, generated: not GLUE"
"""What a title says in place of where synthetic data lies."""
PLAIN = Layout()


FINGERPRINT = re.compile(r" \((?:data )?[0-9a-f]{12}\)$")
"""Of the data or the machine, at the end of a heading."""


def title(table: Table) -> str:
    """Suite, source, fingerprint: what a reader must know before the first number."""
    return heading(table.suite, table.source, table.location, table.limit, table.portion, table.fingerprint)


def heading(what: str, source: str, location: str, limit: int | None, portion: float | str, fingerprint: str) -> str:
    place = GENERATED if source == SYNTHETIC else f"{source}: {shown_location(source, location)}"
    more = f", first {limit} examples of each split" if limit else ""
    if isinstance(portion, str):
        more += f", trained on {portion}"
    elif portion != 1:
        more += f", trained on {100 * portion:g} % of the training examples"
    return f"{what} on {place}{more} (data {short(fingerprint)})"


def without_fingerprint(heading: str) -> str:
    """A heading for a page that says elsewhere which data it is."""
    return FINGERPRINT.sub("", heading)


def heading_of(what: str, records: Sequence[Record]) -> str:
    """The heading of a table of `what` that rests on these records, which may stand in one table."""
    data = records[0].data
    return heading(
        what,
        data.source,
        common_location({record.data.location for record in records}),
        data.limit,
        data.portion,
        joint_fingerprint(sorted({record.data.fingerprint for record in records})),
    )


def notes(table: Table, layout: Layout = PLAIN) -> list[str]:
    """What stands below a table: how to read it, and what it leaves out."""
    several = any(row.seeds[1] > 1 for row in table.rows)
    many = " and, with several seeds, over seeds (±: their standard deviation)" if several else ""
    sentences = [
        f"Scores ×100 with 95 % intervals over examples{many}; a task's score is the mean of its metrics and splits. "
        "Bold: better than every other model's whole interval, by its own whole interval."
    ]
    known = [f"Chance: the best constant answer{'.' if not _has_ceiling(table) else ''}"] if table.columns else []
    if _has_ceiling(table):
        known.append("ceiling: what the noise-free labels score.")
    sentences += ["; ".join(known)] if known else []
    shown = shown_columns(table, layout)
    if "average" in shown and not set(table.averaged) <= set(shown):
        sentences.append(f"The average is over {', '.join(table.averaged)}.")
    if "average" in shown and table.by_examples:
        sentences.append("The average weighs tasks by their examples.")
    if "average" in shown and any(row.average is None for row in table.rows):
        sentences.append(f"{NONE} under average: the model lacks a score that the average is over.")
    partial = [f"{row.label} on {task}" for row in table.rows for task in row.partial]
    if partial:
        sentences.append(f"No score, since splits or metrics that others have are missing: {', '.join(partial)}.")
    if table.absent:
        sentences.append(f"No score here: {', '.join(table.absent)}.")
    if table.unlabelled:
        sentences.append(f"Without labels, so predictions only: {', '.join(table.unlabelled)}.")
    diagnostics = [column.task for column in table.columns if column.diagnostic]
    if diagnostics:
        sentences.append(f"†: a diagnostic, not part of the average: {', '.join(diagnostics)}.")
    unscaled = [f"{column.task} ({', '.join(column.primary_metrics)})" for column in table.columns if column.scale == 1]
    if unscaled:
        sentences.append(f"Not ×100: {', '.join(unscaled)}.")
    lower = [column.task for column in table.columns if not column.greater_is_better]
    if lower:
        sentences.append(f"↓: lower is better, not part of the average: {', '.join(lower)}.")
    sentences += [*(f"Data of {note}." for note in table.data_notes), *table.machine_notes]
    sentences += [f"Of {row.label}: {note}." for row in table.rows for note in row.notes]
    return [*sentences, *(note for resource in table.resources for note in resource.notes)]


def _has_ceiling(table: Table) -> bool:
    return any(column.ceiling for column in table.columns)


def to_markdown(table: Table, layout: Layout = PLAIN) -> str:
    """A table that is aligned in a terminal and renders on the web; ends with a newline. Markdown knows no groups of
    rows: a group's heading is a row with empty cells.
    """
    grid = grid_of(table, layout, bold=lambda text: f"**{text}**", plain=escaped, italic=lambda text: f"*{text}*")
    blank = [""] * (len(grid.header) - 1)
    body = []
    for name, rows in grid.groups:
        body += [[f"**{name}**", *blank], *rows] if name is not None else rows
    return markdown_table(title(table), grid.header, [*body, *grid.references], notes(table, layout))


def markdown_table(title: str, header: Sequence[str], body: Sequence[Sequence[str]], notes: Iterable[str]) -> str:
    """Cells come escaped, title and notes do not."""
    lines = [f"### {escaped(title)}", "", *markdown_rows(header, body)]
    lines += ["", *(escaped(note) for note in notes)]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Nothing in it is read as markup; the bracket of an interval and underscores inside a word are none."""
    text = re.sub(r"([\\|*`<>~$&])", r"\\\1", printable(text))
    text = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", text)
    return re.sub(r"\[(?!-?[\d.]+, -?[\d.]+\]$)", r"\\[", text)


def printable(text: str) -> str:
    """Control, format and line-breaking characters as blanks: they could move a terminal's cursor or end a row."""
    return "".join(" " if unicodedata.category(letter) in UNPRINTABLE else letter for letter in text)


UNPRINTABLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


@dataclass(frozen=True)
class Grid:
    """A table's cells, escaped: the header, the models by group (its heading, None without groups), and the rows of
    chance, ceiling and the number of examples.
    """

    header: list[str]
    groups: list[tuple[str | None, list[list[str]]]]
    references: list[list[str]]


Marked = Callable[[str], str]


def grid_of(table: Table, layout: Layout, bold: Marked, plain: Marked, italic: Marked) -> Grid:
    """The cells that the layout shows; the first of a line is its name."""
    names = shown_columns(table, layout)
    columns = {column.task: column for column in table.columns}
    of_metrics = metric_columns(table)

    def any_scores(name: str) -> list[MetricScore]:
        """Of a metric's column: chance and ceiling are of the data, so that any row's parts tell them."""
        return next(
            (metric_scores for row in table.rows if (metric_scores := scores_of_metric(row, *of_metrics[name]))), []
        )

    def metric_scale(name: str) -> int:
        return 100 if all(metric_score.is_fraction for metric_score in any_scores(name)) else 1

    def metric_reference(name: str, kind: str) -> str:
        metric_scores, scale = any_scores(name), metric_scale(name)
        if kind == "examples":
            return "/".join(str(metric_score.n) for metric_score in metric_scores)
        if kind == "chance":
            known = [metric_score.chance for metric_score in metric_scores if metric_score.chance is not None]
            return scaled(fmean(known), scale) if metric_scores and len(known) == len(metric_scores) else NONE
        ceilings = [metric_score.ceiling for metric_score in metric_scores if metric_score.ceiling is not None]
        return number(over_metrics(ceilings), scale) if metric_scores and len(ceilings) == len(metric_scores) else NONE

    def shown(score: Score | None, scale: int = 100) -> str:
        if score is None:
            return plain(NONE)
        text = plain(number(score.estimate, scale))
        return bold(text) if score.best else text

    def cell(row: Row, name: str) -> str:
        if name in of_metrics:
            metric_scores = scores_of_metric(row, *of_metrics[name])
            return shown(
                Score(over_metrics([metric_score.estimate for metric_score in metric_scores]))
                if metric_scores
                else None,
                metric_scale(name),
            )
        if name in columns:
            return shown(row.scores.get(name), columns[name].scale)
        if name == "average":
            return shown(row.average)
        return plain(_fact(row, name))

    def used(row: Row) -> list[str]:
        return [plain(text_of(resource, row.model) or NONE) for resource in table.resources]

    def reference(kind: str, average: str, of_task: Callable[[Column], str]) -> list[str]:
        cells = {"average": average} | {name: of_task(column) for name, column in columns.items()}
        cells |= {name: metric_reference(name, kind) for name in names if name in of_metrics}
        return [italic(kind), *(plain(cells.get(name, "")) for name in names[1:]), *[""] * len(table.resources)]

    references = []
    if columns:
        references.append(reference("chance", scaled(table.chance), lambda column: scaled(column.chance, column.scale)))
    if _has_ceiling(table):
        average = number(table.ceiling) if table.ceiling else NONE
        ceilings = {
            name: number(column.ceiling, column.scale) if column.ceiling else NONE for name, column in columns.items()
        }
        references.append(reference("ceiling", average, lambda column: ceilings[column.task]))
    if columns:
        references.append(reference("examples", "", lambda column: "/".join(map(str, column.n.values()))))
    of = "" if len(table.averaged) == table.of_tasks else f" of {len(table.averaged)} of {table.of_tasks} tasks"
    heads = {"average": f"average{of}"} | {name: plain(_head(column)) for name, column in columns.items()}
    return Grid(
        header=[
            *(heads.get(name, plain(name)) for name in names),
            *(plain(resource.header) for resource in table.resources),
        ],
        groups=[
            (
                None if heading is None else plain(heading),
                [[*(cell(row, name) for name in names), *used(row)] for row in rows],
            )
            for heading, rows in groups(table, layout)
        ],
        references=references,
    )


def _fact(row: Row, name: str) -> str:
    if name == "model":
        return row.label
    if name == "seeds":
        return seeds_text(row)
    value = row.facts.get(name)
    return NONE if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _head(column: Column) -> str:
    return f"{column.task}{' †' if column.diagnostic else ''}{'' if column.greater_is_better else ' ↓'}"


def number(estimate: Estimate, scale: int = 100) -> str:
    """`81.2 ±0.4 [78.0, 84.1]`, times the scale."""
    return f"{spread(estimate, scale)} {interval(estimate, scale)}"


def spread(estimate: Estimate, scale: int = 100) -> str:
    """`81.2 ±0.4`, the deviation over seeds where there are several."""
    sd = f" ±{scaled(estimate.sd, scale)}" if estimate.sd is not None else ""
    return f"{scaled(estimate.value, scale)}{sd}"


def interval(estimate: Estimate, scale: int = 100) -> str:
    return f"[{scaled(estimate.low, scale)}, {scaled(estimate.high, scale)}]"


def signed(change: Estimate, scale: int = 100) -> str:
    """`+0.8 [-1.0, +2.7]`, times the scale; bold where the interval, as it is shown, leaves out 0."""
    digits = _digits(scale)
    mark = "**" if round(scale * change.low, digits) > 0 or round(scale * change.high, digits) < 0 else ""
    return f"{mark}{plainly_signed(change, scale)}{mark}"


def plainly_signed(change: Estimate, scale: int = 100) -> str:
    """`+0.8 [-1.0, +2.7]`, times the scale. A change of nothing is +0.0."""
    digits = _digits(scale)
    middle, low, high = (
        f"{round(scale * value, digits) + 0.0:+.{digits}f}" for value in (change.value, change.low, change.high)
    )
    return f"{middle} [{low}, {high}]"


def _digits(scale: int) -> int:
    return 1 if scale == 100 else 2


def scaled(value: float | None, scale: int = 100) -> str:
    """A fraction in per cent to one decimal, another number to three digits or so."""
    if value is None:
        return NONE
    if scale == 1:
        return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return f"{scale * value:.1f}"


class Markdown(ReportFormat):
    """A table with a heading, aligned in a terminal and rendered on the web, for each of the tables."""

    stands_in_markdown = True

    def render(self, tables: Sequence[Table], layout: Layout) -> str:
        return one_after_another(tables, layout, to_markdown)


FORMAT = Markdown()
