"""Tables and plots of what a method costs in each group of a model's layers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

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


def to_markdown(said: Mapping[str, Any]) -> str:
    """Groups of layers, the worst first, then all of them and what the recipe leaves."""
    header = ["layers", "drop", "agreement", "recipe"]
    rows = sorted(said["layers"], key=lambda row: -row["drop"]["value"])
    body = [[*_cells(row, said), "skipped" if row["layers"] in said["skip"] else ""] for row in rows]
    body.append([*_cells(said["all"], said), ""])
    if said["with_recipe"]:
        body.append([*_cells(said["with_recipe"], said), f"{len(said['skip'])} skipped"])
    n = sum(said["data"]["splits"].values())
    base = (
        f"Untouched: {_points(said['scale']) * said['score']:.1f} ({', '.join(said['metrics'])}) on {n} examples of "
        f"{', '.join(said['data']['splits'])}. Rule of the recipe: {said['rule']}."
    )
    return formats.markdown_table(title(said), header, body, [NOTE, base, *said["notes"]])


def title(said: Mapping[str, Any]) -> str:
    data = said["data"]
    return formats.heading(
        f"sensitivity of {said['task']} to {said['method']}",
        data["source"], data["location"], data["limit"], 1.0, data["fingerprint"],
    )  # fmt: skip


def _points(scale: float) -> int:
    """What a score is multiplied with, so that a hundredth of its scale is one."""
    return round(100 / scale)


def _cells(row: Mapping[str, Any], said: Mapping[str, Any]) -> list[str]:
    agreement = formats.NONE if row["agreement"] is None else f"{100 * row['agreement']:.1f} %"
    return [formats.escaped(row["layers"]), formats.signed(Estimate(**row["drop"]), _points(said["scale"])), agreement]


def plot(said: Mapping[str, Any], path: Path) -> None:
    """A point a group of layers with its interval, in the model's order from above; the skipped ones hollow.

    Raises:
        HarnessError: matplotlib is not installed, or the ending is of no format.
    """
    rows, factor = [*said["layers"], said["all"]], _points(said["scale"])
    with figure(path, 7, 1.5 + 0.28 * len(rows)) as axes:
        for place, row in enumerate(rows):
            drop = {key: factor * value for key, value in row["drop"].items()}
            error = [[drop["value"] - drop["low"]], [drop["high"] - drop["value"]]]
            skipped = row["layers"] in said["skip"]
            axes.errorbar(
                drop["value"], place, xerr=error, fmt="o", capsize=2, color="C1" if skipped else "C0",
                markerfacecolor="white" if skipped else None,
            )  # fmt: skip
        axes.axvline(0, color="gray", linewidth=0.8)
        axes.set_yticks(range(len(rows)), [plain(row["layers"]) for row in rows])
        axes.invert_yaxis()
        n = sum(said["data"]["splits"].values())
        axes.set_xlabel(f"drop in points, 95 % interval, {n} examples; hollow: skipped by the recipe")
        axes.set_title(plain(title(said)), fontsize=9, wrap=True)
