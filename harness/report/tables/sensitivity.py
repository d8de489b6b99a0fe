"""Tables and plots of what a method costs in each group of a model's layers."""

from __future__ import annotations

from pathlib import Path

from harness.compression.sensitivity import Damage
from harness.core.compression_records import LayerDamage, SensitivityFacts
from harness.report.tables import formats
from harness.report.tables.plotting import figure, plain
from harness.stats.aggregate import Estimate

NOTE = (
    "Drop: what the score loses (in points, a hundredth of the metric's scale) where the method touches these layers "
    "alone, with the 95 % interval that the gate gives a drop over the same examples; bold: the interval leaves out 0. "
    "Agreement: fraction of equal predictions."
)


def line(damage: Damage, scale: float) -> str:
    return f"{damage.layers}: drop {formats.plainly_signed(damage.drop, _points(scale))}"


def to_markdown(analysis: SensitivityFacts) -> str:
    """Groups of layers, the worst first, then all of them and what the recipe leaves."""
    header = ["layers", "drop", "agreement", "recipe"]
    rows = sorted(analysis.layers, key=lambda row: -row.drop.value)
    body = [[*_cells(row, analysis), "skipped" if row.layers in analysis.skip else ""] for row in rows]
    body.append([*_cells(analysis.all, analysis), ""])
    if analysis.with_recipe:
        body.append([*_cells(analysis.with_recipe, analysis), f"{len(analysis.skip)} skipped"])
    n = analysis.examples
    base = (
        f"Untouched: {_points(analysis.scale) * analysis.score:.1f} ({', '.join(analysis.metrics)}) on {n} examples of "
        f"{', '.join(analysis.data.splits)}. Rule of the recipe: {analysis.rule}."
    )
    return formats.markdown_table(title(analysis), header, body, [NOTE, base, *analysis.notes])


def title(analysis: SensitivityFacts) -> str:
    data = analysis.data
    return formats.heading(
        f"sensitivity of {analysis.task} to {analysis.method}",
        data.source, data.location, data.limit, 1.0, data.fingerprint,
    )  # fmt: skip


def _points(scale: float) -> int:
    """What a score is multiplied with, so that a hundredth of its scale is one."""
    return round(100 / scale)


def _cells(row: LayerDamage, analysis: SensitivityFacts) -> list[str]:
    agreement = formats.NONE if row.agreement is None else f"{100 * row.agreement:.1f} %"
    return [formats.escaped(row.layers), formats.signed(_estimate(row), _points(analysis.scale)), agreement]


def _estimate(row: LayerDamage) -> Estimate:
    return Estimate(row.drop.value, row.drop.low, row.drop.high)


def plot(analysis: SensitivityFacts, path: Path) -> None:
    """A point a group of layers with its interval, in the model's order from above; the skipped ones hollow.

    Raises:
        HarnessError: matplotlib is not installed, or the ending is of no format.
    """
    rows, factor = [*analysis.layers, analysis.all], _points(analysis.scale)
    with figure(path, 7, 1.5 + 0.28 * len(rows)) as axes:
        for place, row in enumerate(rows):
            drop = row.drop
            error = [[factor * (drop.value - drop.low)], [factor * (drop.high - drop.value)]]
            skipped = row.layers in analysis.skip
            axes.errorbar(
                factor * drop.value, place, xerr=error, fmt="o", capsize=2, color="C1" if skipped else "C0",
                markerfacecolor="white" if skipped else None,
            )  # fmt: skip
        axes.axvline(0, color="gray", linewidth=0.8)
        axes.set_yticks(range(len(rows)), [plain(row.layers) for row in rows])
        axes.invert_yaxis()
        n = analysis.examples
        axes.set_xlabel(f"drop in points, 95 % interval, {n} examples; hollow: skipped by the recipe")
        axes.set_title(plain(title(analysis)), fontsize=9, wrap=True)
