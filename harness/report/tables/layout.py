"""What of a leaderboard is shown, and in which order: columns by name, rows sorted and in groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from harness.core.errors import HarnessError, unknown
from harness.report.tables.table import MetricScore, Row, Table

FACTS = ("learner", "runtime", "base", "method", "parameters")
GROUPS = ("base", "learner", "method", "runtime", "seeds")
NO_METHOD = "not compressed"
NOTHING = "none"
ASCENDING, DESCENDING = "asc", "desc"


@dataclass(frozen=True)
class Layout:
    """Columns by name, in order (None: those that say something), the model always the first of them; the column to
    sort by, and whether the largest comes first (None: the best, or the first of the alphabet); what rows are grouped
    by.
    """

    columns: tuple[str, ...] | None = None
    sort: str | None = None
    descending: bool | None = None
    group_by: str | None = None


def parse_layout(columns: str | None, sort: str | None, group_by: str | None) -> Layout:
    """The layout asked for by `a,b,c`, `COLUMN[:asc|desc]` and a key.

    Raises:
        HarnessError: an empty or repeated column, another direction, or a key nothing is grouped by.
    """
    chosen = None
    if columns is not None:
        chosen = tuple(name.strip() for name in columns.split(","))
        if not all(chosen):
            raise HarnessError(f"--columns '{columns}': an empty name; write names and commas, e.g. model,average")
        twice = next((name for name in chosen if chosen.count(name) > 1), None)
        if twice:
            raise HarnessError(f"--columns {columns}: '{twice}' is there twice")
    descending = None
    if sort is not None:
        name, colon, direction = sort.rpartition(":")
        if colon and direction in (ASCENDING, DESCENDING):
            sort, descending = name, direction == DESCENDING
    if group_by is not None and group_by not in GROUPS:
        raise unknown("key", group_by, GROUPS, "--group-by")
    return Layout(chosen, sort, descending, group_by)


def laid_out(tables: Sequence[Table], layout: Layout) -> list[Table]:
    """The tables with the columns and in the order of the layout. A table that has none of the scores asked for is left
    out.

    Raises:
        HarnessError: a column that no table has.
    """
    known = dict.fromkeys(name for table in tables for name in column_names(table))
    for option, names in (("--columns", layout.columns or ()), ("--sort", [layout.sort] if layout.sort else ())):
        for name in names:
            if name not in known:
                hint = "; after a colon comes asc, desc or a metric" if option == "--sort" and ":" in name else ""
                raise unknown("column", f"{name}{hint}" if hint else name, known, option)
    chosen = [table for table in tables if _has_scores(table, layout)]
    return [_grouped(_sorted(_narrowed(table, layout), table, layout), layout) for table in chosen]


def column_names(table: Table) -> list[str]:
    """All columns one can ask for."""
    tasks = [column.task for column in table.columns]
    average = ["average"] if table.averaged else []
    return ["model", "seeds", *FACTS, *average, *tasks, *metric_columns(table), *table.absent, *table.unlabelled]


def shown_columns(table: Table, layout: Layout) -> list[str]:
    """The columns of a table as it is shown: the model, and those asked for that it has, else those that say
    something.
    """
    tasks = [column.task for column in table.columns]
    if layout.columns is not None:
        there = {"seeds", *FACTS, *(["average"] if table.averaged else []), *tasks, *metric_columns(table)}
        return ["model", *(name for name in layout.columns if name in there)]
    several = any(row.seeds[1] > 1 for row in table.rows)
    is_average = bool(table.averaged) and table.of_tasks > 1  # of one task it would say the same twice
    return ["model", *(["seeds"] if several else []), *(["average"] if is_average else []), *tasks]


def metric_columns(table: Table) -> dict[str, tuple[str, str]]:
    """Columns of single metrics, `mrpc:f1`: of each the task and the metric."""
    return {
        f"{column.task}:{metric}": (column.task, metric)
        for column in table.columns
        for metric in sorted(column.metrics)
    }


def scores_of_metric(row: Row, task: str, metric: str) -> list[MetricScore]:
    """A row's parts of one metric, one a split."""
    score = row.scores.get(task)
    metric_scores = score.parts if score else row.partial.get(task, ())
    return [metric_score for metric_score in metric_scores if metric_score.metric == metric]


def groups(table: Table, layout: Layout) -> list[tuple[str | None, list[Row]]]:
    """The rows by group, each with its heading, `learner: tfidf`; one group without a heading where none was asked."""
    if layout.group_by is None:
        return [(None, list(table.rows))]
    by_group: dict[str, list[Row]] = {}
    for row in table.rows:
        by_group.setdefault(group_of(row, layout.group_by), []).append(row)
    return [(f"{layout.group_by}: {name}", rows) for name, rows in by_group.items()]


def group_of(row: Row, key: str) -> str:
    if key == "seeds":
        return seeds_text(row)
    value = row.facts.get(key)
    return str(value) if value is not None else NO_METHOD if key == "method" else NOTHING


def seeds_text(row: Row) -> str:
    return "–".join(map(str, dict.fromkeys(row.seeds)))


def _has_scores(table: Table, layout: Layout) -> bool:
    """Whether a table has a score that was asked for, where any was."""
    asked = set(layout.columns or ()) - {"model", "seeds", *FACTS}
    return not asked or bool(
        asked
        & {
            *(column.task for column in table.columns),
            *metric_columns(table),
            *(["average"] if table.averaged else []),
        }
    )


def _narrowed(table: Table, layout: Layout) -> Table:
    if layout.columns is None:
        return table
    columns = {column.task: column for column in table.columns}
    of_metrics = metric_columns(table)
    asked = [of_metrics[name][0] if name in of_metrics else name for name in layout.columns]
    kept = [name for name in dict.fromkeys(asked) if name in columns]

    def narrowed(row: Row) -> Row:
        return replace(
            row,
            scores={task: score for task, score in row.scores.items() if task in kept},
            partial={task: metric_scores for task, metric_scores in row.partial.items() if task in kept},
        )

    return replace(
        table,
        columns=tuple(columns[name] for name in kept),
        rows=tuple(map(narrowed, table.rows)),
        absent=tuple(task for task in table.absent if task in layout.columns),
        unlabelled=tuple(task for task in table.unlabelled if task in layout.columns),
    )


def _sorted(table: Table, whole: Table, layout: Layout) -> Table:
    """By the layout's column, which need not be shown; what has no value comes last, ties keep their order."""
    if layout.sort is None or layout.sort not in column_names(whole):
        return table
    of_metrics = metric_columns(whole)
    values = {row.model: _value(row, layout.sort, of_metrics) for row in whole.rows}
    with_value = [row for row in table.rows if values[row.model] is not None]
    without = [row for row in table.rows if values[row.model] is None]
    descending = layout.descending
    if descending is None:
        lower_is_better = {column.task for column in whole.columns if not column.greater_is_better}
        is_score = layout.sort == "average" or layout.sort in {column.task for column in whole.columns}
        descending = is_score and layout.sort not in lower_is_better
        if of_metric := metric_columns(whole).get(layout.sort):
            metric_scores = [metric_score for row in whole.rows for metric_score in scores_of_metric(row, *of_metric)]
            descending = all(metric_score.greater_is_better for metric_score in metric_scores)
    with_value.sort(key=lambda row: values[row.model], reverse=descending)  # type: ignore[arg-type,return-value]
    return replace(table, rows=(*with_value, *without))


def _value(row: Row, name: str, of_metrics: Mapping[str, tuple[str, str]]) -> float | str | tuple[int, int] | None:
    if name == "model":
        return row.label
    if name == "seeds":
        return row.seeds
    if name in FACTS:
        return row.facts.get(name)
    if name in of_metrics:
        metric_scores = scores_of_metric(row, *of_metrics[name])
        return (
            sum(metric_score.estimate.value for metric_score in metric_scores) / len(metric_scores)
            if metric_scores
            else None
        )
    score = row.average if name == "average" else row.scores.get(name)
    return None if score is None else score.estimate.value


def _grouped(table: Table, layout: Layout) -> Table:
    """Rows of a group beside each other, groups by their first row: so that every format has one order."""
    return replace(table, rows=tuple(row for _, rows in groups(table, layout) for row in rows))
