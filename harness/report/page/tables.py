"""From a leaderboard to a section of the page: columns in groups, whiskers, and what each score rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.core.cell_records import ScoreRecord
from harness.core.hashing import short
from harness.report.page.model import GROUPS, Cell, Detail, Group, Head, Line, RankTable, Reference, Section, Whisker
from harness.report.page.resources import Resources, facts_of
from harness.report.page.text import counted, megabytes, rate
from harness.report.tables import formats, ranks
from harness.report.tables.comparable import Draft
from harness.report.tables.formats import interval, scaled, spread
from harness.report.tables.leading import Test, leading
from harness.report.tables.ranks import Ranking
from harness.report.tables.table import Column, MetricScore, Resource, Row, Score, Table
from harness.stats.aggregate import Estimate

AVERAGE = "average"
GROUP_OF: dict[str, Group] = {
    "weight_bytes": "size",
    "examples_per_second": "speed",
    "speed_ratio": "speed",
    "peak_memory_bytes": "memory",
}
TITLES = {
    "weight_bytes": "disk",
    "examples_per_second": "speed",
    "speed_ratio": "ratio",
    "peak_memory_bytes": "memory",
}


def section(
    key: str,
    table: Table,
    draft: Draft,
    known: Mapping[str, Resources],
    test: Test = lambda first, other: None,
    ranked: Sequence[Ranking] = (),
) -> Section:
    """A section of one table, with its columns of size, speed and memory; `known` is by the ids of its models, `test`
    tells them apart.
    """
    columns = sorted(table.resources, key=lambda resource: GROUPS.index(GROUP_OF[resource.name]))
    heads = _heads(table, columns)
    axes = _axes(table)
    lines = tuple(
        _line(f"{key}-{index}", table, row, draft, known.get(row.model, Resources()), columns, axes)
        for index, row in enumerate(table.rows)
    )
    is_measured = any(resource.measured for resource in known.values())
    shown = replace(table, resources=tuple(resource for resource in columns if resource.values or is_measured))
    return Section(
        key=key,
        title=formats.without_fingerprint(formats.title(table)),
        heads=heads,
        lines=lines,
        references=_references(table, len(heads)),
        notes=tuple(formats.notes(shown)),
        measured={
            group: any(
                cell.order is not None
                for line in lines
                for head, cell in zip(heads, line.cells, strict=True)
                if head.group == group
            )
            for group in GROUPS
        },
        verdict=leading(table, test),
        ranks=tuple(_rank_table(ranking) for ranking in ranked),
    )


def _rank_table(ranking: Ranking) -> RankTable:
    header, lines = ranks.cells(ranking)
    title = f"Ranks with ties by {ranking.by}"
    return RankTable(title, tuple(header), tuple(map(tuple, lines)), tuple(ranks.notes(ranking)))


def _heads(table: Table, columns: Sequence[Resource]) -> tuple[Head, ...]:
    heads = []
    if table.averaged:
        partial = "" if len(table.averaged) == table.of_tasks else f"{len(table.averaged)} of "
        small = f"{partial}{counted(table.of_tasks, 'task')}"
        heads.append(Head(AVERAGE, "average", "quality", small, f"Mean of {', '.join(table.averaged)}"))
    for column in table.columns:
        heads.append(
            Head(
                key=column.task,
                title=column.task,
                group="quality",
                small=", ".join(NAMES.get(name, name) for name in column.primary_metrics),
                more=_of_column(column),
                marks=f"{'†' if column.diagnostic else ''}{'' if column.greater_is_better else '↓'}",
                lower_is_better=not column.greater_is_better,
            )
        )
    heads.append(Head("parameters", "params", "size", "millions", "Parameters, mean over tasks and seeds", "", True))
    heads += [
        Head(
            resource.name,
            TITLES[resource.name],
            GROUP_OF[resource.name],
            resource.header,
            " ".join(resource.notes[:1]),
            "",
            resource.less_is_better,
        )
        for resource in columns
    ]
    return tuple(heads)


NAMES = {"matthews_correlation": "Matthews", "bits_per_byte": "bits/byte", "byte_perplexity": "perplexity/byte"}


def _of_column(column: Column) -> str:
    metrics = ", ".join(f"{name} (version {version})" for name, version in column.metrics.items())
    n = ", ".join(f"{count:,} examples in {split}" for split, count in column.n.items())
    return f"{column.task} version {column.version}: {metrics}; {n}; data {short(column.fingerprint)}"


def _line(
    key: str,
    table: Table,
    row: Row,
    draft: Draft,
    resources: Resources,
    columns: Sequence[Resource],
    axes: Mapping[str, Callable[[float], float]],
) -> Line:
    cells = []
    if table.averaged:
        missing = "" if row.average else "lacks a score that the average is over"
        cells.append(_score(row.average, 100, axes[AVERAGE], table.chance, table.ceiling, missing))
    for column in table.columns:
        missing = "splits that others have are missing" if column.task in row.partial else "no score"
        cells.append(
            _score(row.scores.get(column.task), column.scale, axes[column.task], column.chance, column.ceiling, missing)
        )
    records = draft.models[row.model]
    made = (records[0].model.learner, records[0].runtime, _seeds(row.seeds))
    kind = ", ".join(part for part in made if part)
    return Line(
        key=key,
        label=row.label,
        kind=kind,
        cells=(*cells, *_resource_cells(row.model, resources, columns)),
        details=_details(row, draft),
        facts=facts_of(resources),
        notes=row.notes,
    )


def _seeds(seeds: tuple[int, int]) -> str:
    low, high = seeds
    return counted(low, "seed") if low == high else f"{low}–{high} seeds"


def _axes(table: Table) -> dict[str, Callable[[float], float]]:
    """By column, from a score to its place between 0 and 100: the axis holds all intervals, chance and ceiling."""

    def axis(estimates: Sequence[Estimate], *more: float | None) -> Callable[[float], float]:
        ends = [end for estimate in estimates for end in (estimate.low, estimate.high)] + [
            end for end in more if end is not None
        ]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        span = (high - low) or 1.0
        return lambda value: round(100 * (value - low) / span, 1)

    def scores(task: str) -> list[Estimate]:
        return [row.scores[task].estimate for row in table.rows if task in row.scores]

    def high(ceiling: Estimate | None) -> float | None:
        return ceiling.value if ceiling else None

    averages = [row.average.estimate for row in table.rows if row.average]
    axes = {AVERAGE: axis(averages, table.chance, high(table.ceiling))}
    for column in table.columns:
        axes[column.task] = axis(scores(column.task), column.chance, high(column.ceiling))
    return axes


def _score(
    score: Score | None,
    scale: int,
    axis: Callable[[float], float],
    chance: float | None,
    ceiling: Estimate | None,
    missing: str,
) -> Cell:
    if score is None:
        return Cell(missing=missing)
    estimate = score.estimate
    whisker = Whisker(
        axis(estimate.low),
        axis(estimate.value),
        axis(estimate.high),
        axis(chance) if chance is not None else None,
        axis(ceiling.value) if ceiling else None,
    )
    parts = [f"{spread(estimate, scale)} {interval(estimate, scale)}"]
    if chance is not None:
        parts.append(f"chance {scaled(chance, scale)}")
    if ceiling is not None:
        parts.append(f"ceiling {scaled(ceiling.value, scale)}")
    if score.parts:
        parts.append(f"n {sum({scored.split: scored.n for scored in score.parts}.values()):,}")
    seeds = len(estimate.per_seed) or len(score.parts[0].estimate.per_seed if score.parts else ())
    if seeds:
        parts.append(counted(seeds, "seed"))
    return Cell(
        scaled(estimate.value, scale),
        estimate.value,
        (estimate.low, estimate.high),
        interval(estimate, scale),
        whisker,
        score.best,
        ", ".join(parts),
    )


def _resource_cells(model: str, resources: Resources, columns: Sequence[Resource]) -> list[Cell]:
    cells = [_parameters(resources)]
    for column in columns:
        quantity = column.values.get(model)
        if quantity is None:
            unmeasured = "see the notes" if resources.measured else "not measured"
            cells.append(Cell(missing="unknown" if GROUP_OF[column.name] == "size" else unmeasured))
            continue
        text, bounds = resource_text(quantity.value, column), ""
        if quantity.low is not None and quantity.high is not None:
            bounds = f"[{resource_text(quantity.low, column)}, {resource_text(quantity.high, column)}]"
        cells.append(Cell(text, quantity.value, interval=bounds, more=f"{text} {bounds}".strip() + f" {column.header}"))
    return cells


def _parameters(resources: Resources) -> Cell:
    if resources.parameters is None:
        return Cell(missing="unknown")
    text = f"{resources.parameters:,.0f} parameters"
    if resources.nonzero is not None:
        text += f", {100 * resources.nonzero / max(1.0, resources.parameters):.1f} % of them not zero"
    return Cell(_millions(resources.parameters), resources.parameters, more=text)


def resource_text(value: float, column: Resource) -> str:
    if column.unit == 1e6:
        return megabytes(value)
    return f"{value:.{column.digits}f}" if column.digits else rate(value)


def _millions(count: float) -> str:
    if count < 1e4:
        return "< 0.01" if count else "0"
    return f"{count / 1e6:.2f}" if count < 1e8 else f"{count / 1e6:.0f}"


def _details(row: Row, draft: Draft) -> tuple[Detail, ...]:
    records = draft.models[row.model]
    details = []
    for task, metric_scores in [
        *((task, score.parts) for task, score in row.scores.items()),
        *row.partial.items(),
    ]:
        for metric_score in metric_scores:
            behind = _newest(records, task, metric_score)
            scale = 100 if metric_score.is_fraction else 1
            details.append(
                Detail(
                    task=task,
                    split=metric_score.split,
                    metric=metric_score.metric,
                    version=behind[0].scores[metric_score.metric].version if behind else None,
                    score=f"{spread(metric_score.estimate, scale)} {interval(metric_score.estimate, scale)}",
                    per_seed=", ".join(scaled(value, scale) for value in metric_score.estimate.per_seed),
                    n=metric_score.n,
                    seeds=len(metric_score.estimate.per_seed),
                    chance=scaled(metric_score.chance, scale),
                    ceiling=scaled(metric_score.ceiling.value if metric_score.ceiling else None, scale),
                    fingerprint=behind[0].data.fingerprint if behind else "",
                    cells=tuple(record.cell for record in behind),
                )
            )
    return tuple(details)


def _newest(records: Sequence[ScoreRecord], task: str, metric_score: MetricScore) -> list[ScoreRecord]:
    """The records a part rests on, one a seed; `records` come newest first."""
    by_seed: dict[int, ScoreRecord] = {}
    for record in records:
        if record.task.name == task and record.split == metric_score.split and metric_score.metric in record.scores:
            by_seed.setdefault(record.seed, record)
    return [by_seed[seed] for seed in sorted(by_seed)]


def _references(table: Table, width: int) -> tuple[Reference, ...]:
    if not table.columns:
        return ()

    def padded(texts: Sequence[str]) -> tuple[str, ...]:
        return (*texts, *[""] * (width - len(texts)))

    first = bool(table.averaged)
    rows = [
        Reference(
            "chance",
            padded(
                [*[scaled(table.chance)][:first], *(scaled(column.chance, column.scale) for column in table.columns)]
            ),
        )
    ]
    if any(column.ceiling for column in table.columns):
        rows.append(
            Reference(
                "ceiling",
                padded(
                    [
                        *[scaled(table.ceiling.value if table.ceiling else None)][:first],
                        *(
                            scaled(column.ceiling.value if column.ceiling else None, column.scale)
                            for column in table.columns
                        ),
                    ]
                ),
            )
        )
    rows.append(
        Reference(
            "examples",
            padded([*[""][:first], *(" / ".join(f"{n:,}" for n in column.n.values()) for column in table.columns)]),
        )
    )
    prints = [short(table.fingerprint)][:first] + [short(column.fingerprint) for column in table.columns]
    rows.append(Reference("data", padded(prints), is_code=True))
    return tuple(rows)
