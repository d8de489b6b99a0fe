"""Pareto fronts: which models no other beats in quality without costing more speed, memory or disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.report.tables import formats
from harness.report.tables.plotting import figure, plain
from harness.report.tables.resources import text_of
from harness.report.tables.table import Quantity, Resource, Row, Score, Table
from harness.stats.aggregate import Estimate

NAMES = {
    "examples_per_second": "speed",
    "peak_memory_bytes": "memory",
    "weight_bytes": "size",
}
"""The resources that a front is drawn for. A ratio to an original is none: originals differ."""
AXES = {
    "examples_per_second": "{} a second, more is better",
    "peak_memory_bytes": "peak memory, MB, less is better",
    "weight_bytes": "weight files, MB, less is better",
}
MARKERS = "osD^vP*X<"
"""Nine, and ten colours: ninety models before two look alike."""
LEGEND_COLUMNS = 3


@dataclass(frozen=True)
class Point:
    """A model: its quality (0…1 where it is a fraction) and what it costs or yields. `dominated_by`: the first model
    that is no worse in both and better in one, by the estimates alone; None of those on the front.
    """

    model: str
    quality: Estimate
    resource: Quantity
    dominated_by: str | None

    @property
    def on_front(self) -> bool:
        return self.dominated_by is None


@dataclass(frozen=True)
class Front:
    """Quality against one resource, whose column is headed so; points from the least resource to the most."""

    kind: str
    resource: str
    less_is_better: bool
    points: tuple[Point, ...]
    header: str = "examples/s"


@dataclass(frozen=True)
class Pareto:
    """The fronts of a table. `scale` turns a quality into what is shown."""

    title: str
    quality: str
    scale: int
    fronts: tuple[Front, ...]
    notes: tuple[str, ...]


def build(table: Table) -> Pareto:
    """The fronts of a table with resources; those alone that at least two models have."""
    only = table.columns[0] if len(table.columns) == 1 else None
    quality = only.task if only else "average"
    scores = {row.model: _quality(row, table) for row in table.rows}
    fronts = []
    for resource in table.resources:
        known = [row for row in table.rows if scores[row.model] and row.model in resource.values]
        if resource.name in NAMES and len(known) > 1:
            fronts.append(_front(known, [scores[row.model].estimate for row in known], resource))  # type: ignore[union-attr]
    unscored = [row.label for row in table.rows if scores[row.model] is None]
    notes = [note for resource in table.resources for note in resource.notes]
    if unscored:
        notes.append(f"Without {quality}: {', '.join(unscored)}.")
    return Pareto(formats.title(table), quality, only.scale if only else 100, tuple(fronts), tuple(notes))


def _quality(row: Row, table: Table) -> Score | None:
    """The average; of a table of one task its score. Less is never better: such tasks have no average."""
    if len(table.columns) == 1 and table.columns[0].greater_is_better:
        return row.scores.get(table.columns[0].task)
    return row.average


def _front(rows: Sequence[Row], qualities: Sequence[Estimate], resource: Resource) -> Front:
    sign = -1 if resource.less_is_better else 1
    merits = [
        (quality.value, sign * resource.values[row.model].value) for row, quality in zip(rows, qualities, strict=True)
    ]

    def dominated_by(point: tuple[float, float]) -> str | None:
        better = (
            row.label
            for row, (quality, merit) in zip(rows, merits, strict=True)
            if (quality, merit) != point and quality >= point[0] and merit >= point[1]
        )
        return next(better, None)

    points = [
        Point(row.label, quality, resource.values[row.model], dominated_by(merits_of_row))
        for row, quality, merits_of_row in zip(rows, qualities, merits, strict=True)
    ]
    points.sort(key=lambda point: point.resource.value)
    return Front(NAMES[resource.name], resource.name, resource.less_is_better, tuple(points), resource.header)


def to_markdown(pareto: Pareto, table: Table) -> str:
    """Models by quality, with what they cost, and the fronts they are on."""
    header = ["model", pareto.quality, *(resource.header for resource in table.resources), "on the front of"]
    body = []
    for row in table.rows:
        score = _quality(row, table)
        if score is None:
            continue
        fronts = [
            front.kind for front in pareto.fronts if any(p.model == row.label and p.on_front for p in front.points)
        ]
        used = [formats.escaped(text_of(resource, row.model) or formats.NONE) for resource in table.resources]
        quality = formats.number(score.estimate, pareto.scale)
        body.append([formats.escaped(row.label), quality, *used, ", ".join(fronts) or formats.NONE])
    note = "On the front: no other model is at least as good in both and better in one, by the estimates."
    return formats.markdown_table(f"Pareto front of {pareto.title}", header, body, [note, *pareto.notes])


def to_json(pareto: Pareto) -> str:
    """Everything, at full precision, scale 0…1."""
    content: dict[str, Any] = asdict(pareto)
    for front, typed_front in zip(content["fronts"], pareto.fronts, strict=True):
        for point, whole in zip(front["points"], typed_front.points, strict=True):
            point["on_front"] = whole.on_front
    return json.dumps({"schema_version": formats.SCHEMA_VERSION, **content}, indent=1, ensure_ascii=False)


def plot(pareto: Pareto, path: Path, units: Mapping[str, float]) -> None:
    """A panel a resource: the front as a line, points on it filled and the others faint and hollow, 95 % intervals as
    whiskers. Names stand in a legend below, since compressed models crowd together.

    Raises:
        HarnessError: matplotlib is not installed, or the file cannot be written.
    """
    names = list(dict.fromkeys(point.model for front in pareto.fronts for point in front.points))
    styles = {name: (f"C{place % 10}", MARKERS[place % len(MARKERS)]) for place, name in enumerate(names)}
    count = len(pareto.fronts)
    lines = -(-len(names) // LEGEND_COLUMNS)
    with figure(path, max(6.0, 4.2 * count), 4.2 + 0.2 * lines, "--pareto") as axes:
        drawn = axes.figure
        axes.remove()
        panels = drawn.subplots(1, count, sharey=True, squeeze=False)[0]
        for panel, front in zip(panels, pareto.fronts, strict=True):
            _panel(panel, front, pareto.scale, units[front.resource], styles)
        fraction = " ×100" if pareto.scale == 100 else ""
        panels[0].set_ylabel(f"{plain(pareto.quality)}{fraction}, 95 % interval")
        drawn.suptitle(plain(f"Pareto front of {pareto.title}"), fontsize=9, wrap=True)
        handles = [
            panels[0].plot([], [], linestyle="", color=color, marker=marker, label=plain(name))[0]
            for name, (color, marker) in styles.items()
        ]
        drawn.legend(handles=handles, loc="outside lower center", ncols=LEGEND_COLUMNS, fontsize=8, frameon=False)


def _panel(panel: Any, front: Front, scale: int, unit: float, styles: Mapping[str, tuple[str, str]]) -> None:
    for point in front.points:
        x, y = point.resource.value / unit, scale * point.quality.value
        color, marker = styles[point.model]
        low, high = point.resource.low, point.resource.high
        panel.errorbar(
            [x],
            [y],
            xerr=None if low is None or high is None else [[x - low / unit], [high / unit - x]],
            yerr=[[y - scale * point.quality.low], [scale * point.quality.high - y]],
            fmt=marker,
            color=color,
            alpha=1.0 if point.on_front else 0.5,
            markerfacecolor=color if point.on_front else "none",
            markersize=7,
            capsize=3,
            elinewidth=1,
            zorder=4 if point.on_front else 3,
        )
    best = [point for point in front.points if point.on_front]
    xs = [point.resource.value / unit for point in best]
    panel.plot(
        xs, [scale * point.quality.value for point in best], color="black", linewidth=1, linestyle="--", zorder=2
    )
    panel.set_xlabel(AXES[front.resource].format(front.header.removesuffix("/s")))
    panel.grid(alpha=0.2)
    panel.margins(x=0.1, y=0.1)
