"""What the plots show: quality against cost, losses while training, averages by the fraction of training examples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from harness.core.cell_records import FitRecord, PretrainRecord, ScoreRecord
from harness.core.pretraining_specs import CONTROL_SUFFIX
from harness.report.page.model import Cell, Chart, Grid, Line, Section
from harness.report.tables.efficiency import Curve, Efficiency
from harness.report.tables.formats import NONE, interval, scaled

Trained = PretrainRecord | FitRecord
COSTS = ("weight_bytes", "parameters", "examples_per_second", "speed_ratio", "peak_memory_bytes")
RATE = "examples_per_second"
UNITS = {
    "weight_bytes": ("weights on disk, MB", 1e-6, False),
    "parameters": ("parameters, millions", 1e-6, False),
    "examples_per_second": ("examples a second", 1.0, True),
    "speed_ratio": ("speed, × original", 1.0, True),
    "peak_memory_bytes": ("peak memory, MB", 1e-6, False),
    "scoring": ("time to score 1,000 examples, s", 1.0, False),
}
SCORING = "scoring"
"""The cost that every model has that was scored."""
FRONT = (
    "The line joins the models that no other one beats in both, by the points alone: where intervals overlap, its "
    "place is not certain. What costs less than a thousandth of the dearest model stands at the edge (‹)."
)
SCORING_NOTE = (
    "Time to score is that of the cells as they ran, with loading, metrics and intervals, mean over tasks and seeds: "
    "no measurement by the protocol."
)
DRAWN_FROM = 1000
"""A model that costs less than the dearest by more than this factor, a trivial one, would squeeze all others."""
POINTS = 200
FINE_TUNING_POINTS = 60
"""Points of a curve that are drawn; of longer ones means of as many equal parts."""
PRETRAINING = "Losses of different objectives, vocabularies or corpora do not compare."
FINE_TUNING = (
    "Losses on training examples, of the first seed of a table's first models on whole training sets. "
    "Those of generative models (a loss a token) and of models with a head do not compare."
)


def tradeoffs(section: Section, scales: Mapping[str, int], scoring: Mapping[str, float]) -> Chart | None:
    """Scores against costs, of every model with a score; None where no model has both.

    Args:
        section: The table.
        scales: Of the tasks' scores.
        scoring: Seconds that scoring a thousand examples took, by a model's label.
    """
    index = {head.key: at for at, head in enumerate(section.heads)}
    qualities = [head for head in section.heads if head.group == "quality"]
    known = {
        key: {line.label: line.cells[index[key]].order for line in section.lines} for key in COSTS if key in index
    } | {SCORING: {line.label: scoring.get(line.label) for line in section.lines}}
    costs = {key: by_label for key, by_label in known.items() if any(value is not None for value in by_label.values())}
    if not costs or not qualities:
        return None
    titles = {key: _title(key, section.heads[index[key]].small if key in index else "") for key in costs}
    least = {key: max(value or 0.0 for value in by_label.values()) / DRAWN_FROM for key, by_label in costs.items()}
    points = [
        {
            "label": line.label,
            "x": {key: _cost(by_label[line.label], key, least[key]) for key, by_label in costs.items()},
            "edge": [key for key, by_label in costs.items() if (by_label[line.label] or math.inf) < least[key]],
            "y": {head.key: _quality(line.cells[index[head.key]], scales.get(head.key, 100)) for head in qualities},
            "bounds": {head.key: _bounds(line.cells[index[head.key]], scales.get(head.key, 100)) for head in qualities},
            "said": {head.key: line.cells[index[head.key]].more for head in qualities},
        }
        for line in section.lines
    ]
    drawing = {
        "kind": "tradeoff",
        "xs": [{"key": key, "title": titles[key], "more": UNITS[key][2]} for key in costs],
        "ys": [
            {
                "key": head.key,
                "title": head.title + (f", {head.small}" if head.small else ""),
                "less": head.lower_is_better,
            }
            for head in qualities
        ],
        "points": points,
    }
    header = ("model", *(head.title for head in qualities), *(titles[key] for key in costs))
    rows = tuple(
        (
            line.label,
            *(_text(line.cells[index[head.key]]) for head in qualities),
            *(_cost_text(line, key, by_label, index) for key, by_label in costs.items()),
        )
        for line in section.lines
    )
    notes = (FRONT, *([SCORING_NOTE] if SCORING in costs else []))
    return Chart(f"tradeoff-{section.key}", section.title, drawing, Grid("", header, rows), notes, section.key)


def _title(key: str, counted: str) -> str:
    """Of an axis; a rate by what the column counts, `images/s`."""
    return f"{counted.removesuffix('/s')} a second" if key == RATE and counted else UNITS[key][0]


def scoring_seconds(records: Iterable[ScoreRecord]) -> float | None:
    """Seconds that scoring a thousand examples took, over these records; None where nobody knows."""
    timed = [(record.timings.seconds, record.n) for record in records if record.timings.seconds > 0 and record.n]
    return 1000 * sum(seconds for seconds, _ in timed) / sum(n for _, n in timed) if timed else None


def _cost_text(line: Line, key: str, by_label: Mapping[str, float | None], index: Mapping[str, int]) -> str:
    if key in index:
        return _text(line.cells[index[key]])
    value = by_label[line.label]
    return NONE if value is None else f"{value:.3g}"


def _cost(value: float | None, key: str, least: float) -> float | None:
    """What is drawn of it; what is below `least` stands there."""
    return None if value is None else float(f"{max(value, least) * UNITS[key][1]:.6g}")


def _quality(cell: Cell, scale: int) -> float | None:
    return None if cell.order is None else round(scale * cell.order, 3)


def _bounds(cell: Cell, scale: int) -> list[float] | None:
    return None if cell.bounds is None else [round(scale * bound, 3) for bound in cell.bounds]


def _text(cell: Cell) -> str:
    return f"{cell.text} {cell.interval}".strip() or cell.missing or NONE


def learning_curves(made: Iterable[tuple[str, Trained, Sequence[tuple[float, float]]]]) -> tuple[Chart, ...]:
    """Losses by step, one chart a kind of training. Each of `made` is a label, the record, and (step, loss) points."""
    by_kind: dict[str, list[tuple[str, Trained, Sequence[tuple[float, float]]]]] = {}
    for label, record, points in made:
        if len(points) > 1:
            if isinstance(record, PretrainRecord):
                kind = f"pretraining: {record.objective}"
            else:
                kind = f"fine-tuning: {record.task.name}"
            by_kind.setdefault(kind, []).append((label, record, points))
    charts = []
    for at, (kind, several) in enumerate(by_kind.items()):
        pretrained = isinstance(several[0][1], PretrainRecord)
        most = POINTS if pretrained else FINE_TUNING_POINTS
        lines = [
            {
                "label": label,
                "points": [[step, float(f"{loss:.5g}"), None, None] for step, loss in thinned(points, most)],
            }
            for label, _, points in several
        ]
        rows = tuple(
            (label, f"{record.fit.steps or 0:,}", f"{points[0][1]:.3f}", f"{points[-1][1]:.3f}")
            + ((_held_out(record),) if isinstance(record, PretrainRecord) else ())
            for label, record, points in several
        )
        heads = ("model", "steps", "first loss", "last loss", *(("held out",) if pretrained else ()))
        charts.append(
            Chart(
                f"losses-{at}",
                f"Loss by step, {kind}",
                {"kind": "lines", "x": "step", "y": "training loss, nats", "log": False, "lines": lines},
                Grid("", heads, rows),
                (PRETRAINING if pretrained else FINE_TUNING,),
            )
        )
    return tuple(charts)


def _held_out(record: PretrainRecord) -> str:
    return ", ".join(f"{name} {score.value:.3f}" for name, score in record.scores.items()) or NONE


def thinned(points: Sequence[tuple[float, float]], most: int = POINTS) -> list[tuple[float, float]]:
    """Means of consecutive parts, each at its last step; all points where there are no more than `most`."""
    width = max(1, -(-len(points) // most))
    chunks = (points[start : start + width] for start in range(0, len(points), width))
    return [(chunk[-1][0], sum(loss for _, loss in chunk) / len(chunk)) for chunk in chunks]


def efficiency_charts(efficiencies: Sequence[Efficiency]) -> tuple[Chart, ...]:
    """Averages by how many training examples were seen, of models that were trained on several numbers of them."""
    drawn = [
        replace(efficiency, curves=tuple(curve for curve in efficiency.curves if len(curve.by_fraction) > 1))
        for efficiency in efficiencies
    ]
    return tuple(
        _efficiency(f"efficiency-{at}", efficiency) for at, efficiency in enumerate(drawn) if efficiency.curves
    )


def _efficiency(key: str, efficiency: Efficiency) -> Chart:
    scale = 1 if efficiency.few else 100

    def points(curve: Curve) -> list[list[float]]:
        return [
            [scale * fraction, *(round(100 * value, 2) for value in (at.value, at.low, at.high))]
            for fraction, at in sorted(curve.by_fraction.items())
        ]

    def cells(curve: Curve) -> Iterable[str]:
        for fraction in efficiency.fractions:
            at = curve.by_fraction.get(fraction)
            yield f"{scaled(at.value)} {interval(at)}" if at else NONE

    lines = [
        {"label": curve.label, "points": points(curve), "twin": curve.label.endswith(CONTROL_SUFFIX)}
        for curve in efficiency.curves
    ]
    drawing = {
        "kind": "lines",
        "x": efficiency.axis + ("" if efficiency.few else ", %"),
        "y": "suite average ×100",
        "log": True,
        "ticks": [scale * fraction for fraction in efficiency.fractions],
        "lines": lines,
        **({"chance": round(100 * efficiency.chance, 2)} if efficiency.chance is not None else {}),
    }
    header = ("model", "seeds", *map(efficiency.point, efficiency.fractions))
    rows = tuple((curve.label, str(curve.seeds), *cells(curve)) for curve in (*efficiency.curves, *efficiency.gains))
    notes = ("Bands: 95 % intervals. Dashed: the random-init control with random weights.",)
    return Chart(key, efficiency.title, drawing, Grid("", header, rows, numbers_from=1), notes)
