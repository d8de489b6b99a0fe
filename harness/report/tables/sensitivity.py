"""Tables and plots of what a method costs in each group of a model's layers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.compression_records import LayerDamage, SensitivityFacts
from harness.report.tables import formats
from harness.report.tables.plotting import figure, plain
from harness.stats.aggregate import Estimate

if TYPE_CHECKING:
    from harness.compression.sensitivity import Damage

NOTE = (
    "Drop: what the score loses (in points, a hundredth of the metric's scale) where the method touches these layers "
    "alone, with a 95 % interval by the paired bootstrap over the same examples; bold: the interval leaves out 0. "
    "Agreement: fraction of equal predictions."
)


def line(damage: Damage, scale: float) -> str:
    return f"{damage.layers}: drop {formats.plainly_signed(damage.drop, _points(scale))}"


def to_markdown(found: SensitivityFacts) -> str:
    """Groups of layers, the worst first, then all of them and what the recipe leaves."""
    header = ["layers", "drop", "agreement", "recipe"]
    rows = sorted(found.layers, key=lambda row: -row.drop.value)
    body = [[*_cells(row, found), "skipped" if row.layers in found.skip else ""] for row in rows]
    body.append([*_cells(found.all, found), ""])
    if found.with_recipe:
        body.append([*_cells(found.with_recipe, found), f"{len(found.skip)} skipped"])
    n = found.examples
    base = (
        f"Untouched: {_points(found.scale) * found.score:.1f} ({', '.join(found.metrics)}) on {n} examples of "
        f"{', '.join(found.data.splits)}. Rule of the recipe: {found.rule}."
    )
    return formats.markdown_table(title(found), header, body, [NOTE, base, *found.notes])


def title(found: SensitivityFacts) -> str:
    data = found.data
    return formats.heading(
        f"sensitivity of {found.task} to {found.method}",
        data.source, data.location, data.limit, 1.0, data.fingerprint,
    )  # fmt: skip


def _points(scale: float) -> int:
    """What a score is multiplied with, so that a hundredth of its scale is one."""
    return round(100 / scale)


def _cells(row: LayerDamage, found: SensitivityFacts) -> list[str]:
    agreement = formats.NONE if row.agreement is None else f"{100 * row.agreement:.1f} %"
    return [formats.escaped(row.layers), formats.signed(_estimate(row), _points(found.scale)), agreement]


def _estimate(row: LayerDamage) -> Estimate:
    return Estimate(row.drop.value, row.drop.low, row.drop.high)


def plot(found: SensitivityFacts, path: Path) -> None:
    """A point a group of layers with its interval, in the model's order from above; the skipped ones hollow.

    Raises:
        HarnessError: matplotlib is not installed, or the ending is of no format.
    """
    rows, factor = [*found.layers, found.all], _points(found.scale)
    with figure(path, 7, 1.5 + 0.28 * len(rows)) as axes:
        for place, row in enumerate(rows):
            drop = row.drop
            error = [[factor * (drop.value - drop.low)], [factor * (drop.high - drop.value)]]
            skipped = row.layers in found.skip
            axes.errorbar(
                factor * drop.value, place, xerr=error, fmt="o", capsize=2, color="C1" if skipped else "C0",
                markerfacecolor="white" if skipped else None,
            )  # fmt: skip
        axes.axvline(0, color="gray", linewidth=0.8)
        axes.set_yticks(range(len(rows)), [plain(row.layers) for row in rows])
        axes.invert_yaxis()
        n = found.examples
        axes.set_xlabel(f"drop in points, 95 % interval, {n} examples; hollow: skipped by the recipe")
        axes.set_title(plain(title(found)), fontsize=9, wrap=True)
