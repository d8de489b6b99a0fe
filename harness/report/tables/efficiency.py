"""Data efficiency: a model's average by how many training examples it saw, and what pretraining bought."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.core.pretraining_specs import CONTROL_SUFFIX
from harness.report.tables.plotting import figure, plain
from harness.report.tables.table import Table
from harness.stats.aggregate import Estimate


@dataclass(frozen=True)
class Curve:
    """One model: its suite average by fraction of the training examples, or by how many of each class these were."""

    label: str
    seeds: int
    by_fraction: Mapping[float, Estimate]


@dataclass(frozen=True)
class Efficiency:
    """The curves of one suite on one source, and by model the gain over its random-init control. `few`: they are by
    examples of each class, and not by fractions.
    """

    title: str
    fractions: tuple[float, ...]
    curves: tuple[Curve, ...]
    gains: tuple[Curve, ...]
    chance: float | None
    few: bool = False

    @property
    def axis(self) -> str:
        return "examples of each class" if self.few else "fraction of the training examples"

    def point(self, amount: float) -> str:
        """What a place on the axis is called."""
        return f"{amount:g}" if self.few else f"{100 * amount:g} %"


def build(tables: Sequence[Table], titles: Sequence[str]) -> list[Efficiency]:
    """Join tables that differ in the fraction alone. A model without an average is left out."""
    groups: dict[tuple, list[tuple[Table, str]]] = {}
    for table, title in zip(tables, titles, strict=True):
        key = (
            table.suite,
            table.source,
            table.location,
            table.limit,
            table.averaged,
            table.k_shot is None,
            _data(table),
        )
        groups.setdefault(key, []).append((table, title))
    return [_join(group) for group in groups.values() if any(row.average for table, _ in group for row in table.rows)]


def _data(table: Table) -> tuple:
    return tuple((column.task, column.version, column.fingerprint) for column in table.columns)


def _join(group: Sequence[tuple[Table, str]]) -> Efficiency:
    curves: dict[str, dict[float, Estimate]] = {}
    seeds: dict[str, int] = {}
    for table, _ in group:
        for row in table.rows:
            if row.average:
                amount = table.train_fraction if table.k_shot is None else float(table.k_shot)
                curves.setdefault(row.label, {})[amount] = row.average.estimate
                seeds[row.label] = max(seeds.get(row.label, 0), row.seeds[1])
    fractions = tuple(sorted({fraction for curve in curves.values() for fraction in curve}))
    gains = [
        Curve(
            f"{label} over {label}{CONTROL_SUFFIX}", seeds[label], _differences(curve, curves[label + CONTROL_SUFFIX])
        )
        for label, curve in curves.items()
        if label + CONTROL_SUFFIX in curves
    ]
    few = group[0][0].k_shot is not None
    title = min((title for _, title in group), key=len)
    title = re.sub(r", trained on \d+ a class", "", title)
    ordered = [Curve(label, seeds[label], curve) for label, curve in curves.items()]
    ordered.sort(key=lambda curve: -max(estimate.value for estimate in curve.by_fraction.values()))
    return Efficiency(title, fractions, tuple(ordered), tuple(gains), group[0][0].chance, few)


def _differences(curve: Mapping[float, Estimate], control: Mapping[float, Estimate]) -> dict[float, Estimate]:
    """Of averages, with their intervals' half-widths added in quadrature, as if the examples were not the same: wider
    than need be.
    """
    differences = {}
    for fraction in curve.keys() & control.keys():
        estimate, control_estimate = curve[fraction], control[fraction]
        below = math.hypot(estimate.value - estimate.low, control_estimate.high - control_estimate.value)
        above = math.hypot(estimate.high - estimate.value, control_estimate.value - control_estimate.low)
        value = estimate.value - control_estimate.value
        differences[fraction] = Estimate(value, value - below, value + above)
    return differences


def to_markdown(efficiency: Efficiency) -> str:
    """Models by fractions of the training examples, then the gains of pretraining."""

    def cells(curve: Curve, sign: str = "") -> Iterable[str]:
        for fraction in efficiency.fractions:
            estimate = curve.by_fraction.get(fraction)
            if estimate is None:
                yield "–"
                continue
            sd = f" ± {100 * estimate.sd:.1f}" if efficiency.few and estimate.sd is not None else ""
            yield f"{100 * estimate.value:{sign}.1f}{sd} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"

    header = [f"average ×100 by {efficiency.axis}", "draws" if efficiency.few else "seeds"]
    header += [efficiency.point(fraction) for fraction in efficiency.fractions]
    rows = [[curve.label, str(curve.seeds), *cells(curve)] for curve in efficiency.curves]
    rows += [[f"*{curve.label}*", str(curve.seeds), *cells(curve, "+")] for curve in efficiency.gains]
    if efficiency.chance is not None:
        rows.append(["*chance*", "", *[f"{100 * efficiency.chance:.1f}"] * len(efficiency.fractions)])
    lines = [
        f"### {efficiency.title}",
        "",
        *(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows]),
    ]
    return "\n".join(lines) + "\n"


def to_json(efficiencies: Sequence[Efficiency]) -> str:
    return json.dumps([_as_json(efficiency) for efficiency in efficiencies], indent=1, ensure_ascii=False)


def _as_json(efficiency: Efficiency) -> dict[str, Any]:
    values = asdict(efficiency)
    if not values.pop("few"):
        return values
    values["k_shot"] = values.pop("fractions")
    for curve in (*values["curves"], *values["gains"]):
        curve["by_k_shot"] = curve.pop("by_fraction")
    return values


def plot(efficiency: Efficiency, path: Path) -> None:
    """Average by fraction, a line a model with its 95 % band; random-init controls dashed. The format follows the
    file's ending.

    Raises:
        HarnessError: matplotlib is not installed, or the ending is of no format.
    """
    scale = 1 if efficiency.few else 100
    with figure(path, 7, 4.5) as axes:
        colors: dict[str, str] = {}
        for curve in efficiency.curves:
            base = curve.label.removesuffix(CONTROL_SUFFIX)
            color = colors.setdefault(base, f"C{len(colors) % 10}")
            xs = sorted(curve.by_fraction)
            points = [curve.by_fraction[x] for x in xs]
            style = "--" if curve.label != base else "-"
            percentages = [scale * x for x in xs]
            low, high = [100 * estimate.low for estimate in points], [100 * estimate.high for estimate in points]
            axes.plot(
                percentages,
                [100 * estimate.value for estimate in points],
                style,
                color=color,
                marker="o",
                label=curve.label,
            )
            axes.fill_between(percentages, low, high, color=color, alpha=0.15, linewidth=0)
        if efficiency.chance is not None:
            axes.axhline(100 * efficiency.chance, color="gray", linestyle=":", label="chance")
        axes.set_xscale("log")
        axes.set_xticks(
            [scale * fraction for fraction in efficiency.fractions],
            [efficiency.point(fraction) for fraction in efficiency.fractions],
        )
        axes.minorticks_off()
        axes.set_xlabel(efficiency.axis)
        axes.set_ylabel("suite average ×100, 95 % interval")
        axes.set_title(plain(efficiency.title), fontsize=9, wrap=True)
        axes.legend(fontsize=8, handlelength=4)
