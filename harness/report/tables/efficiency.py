"""Data efficiency: a model's average by the fraction of the training examples it saw, and what pretraining bought."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.pipeline.planner.pretraining import CONTROL_SUFFIX
from harness.report.tables.plotting import figure, plain
from harness.report.tables.table import Table
from harness.stats.aggregate import Estimate


@dataclass(frozen=True)
class Curve:
    """One model: its suite average by fraction of the training examples."""

    label: str
    seeds: int
    by_fraction: Mapping[float, Estimate]


@dataclass(frozen=True)
class Efficiency:
    """The curves of one suite on one source, and by model the gain over its random-init control."""

    title: str
    fractions: tuple[float, ...]
    curves: tuple[Curve, ...]
    gains: tuple[Curve, ...]
    chance: float | None


def build(tables: Sequence[Table], titles: Sequence[str]) -> list[Efficiency]:
    """Join tables that differ in the share alone. A model without an average is left out."""
    groups: dict[tuple, list[tuple[Table, str]]] = {}
    for table, title in zip(tables, titles, strict=True):
        key = (table.suite, table.source, table.location, table.limit, table.averaged, _data(table))
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
                curves.setdefault(row.label, {})[table.train_fraction] = row.average.estimate
                seeds[row.label] = max(seeds.get(row.label, 0), row.seeds[1])
    fractions = tuple(sorted({fraction for curve in curves.values() for fraction in curve}))
    gains = [
        Curve(
            f"{label} over {label}{CONTROL_SUFFIX}", seeds[label], _differences(curve, curves[label + CONTROL_SUFFIX])
        )
        for label, curve in curves.items()
        if label + CONTROL_SUFFIX in curves
    ]
    title = min((title for _, title in group), key=len)
    told = [Curve(label, seeds[label], curve) for label, curve in curves.items()]
    told.sort(key=lambda curve: -max(one.value for one in curve.by_fraction.values()))
    return Efficiency(title, fractions, tuple(told), tuple(gains), group[0][0].chance)


def _differences(curve: Mapping[float, Estimate], twin: Mapping[float, Estimate]) -> dict[float, Estimate]:
    """Of averages, with their intervals' half-widths added in quadrature, as if the examples were not the same: wider
    than need be.
    """
    found = {}
    for fraction in curve.keys() & twin.keys():
        one, other = curve[fraction], twin[fraction]
        below = math.hypot(one.value - one.low, other.high - other.value)
        above = math.hypot(one.high - one.value, other.value - other.low)
        value = one.value - other.value
        found[fraction] = Estimate(value, value - below, value + above)
    return found


def to_markdown(found: Efficiency) -> str:
    """Models by fractions of the training examples, then the gains of pretraining."""

    def cells(curve: Curve, sign: str = "") -> Iterable[str]:
        for fraction in found.fractions:
            one = curve.by_fraction.get(fraction)
            yield f"{100 * one.value:{sign}.1f} [{100 * one.low:.1f}, {100 * one.high:.1f}]" if one else "–"

    header = ["average ×100 by fraction of the training examples", "seeds"]
    header += [f"{100 * fraction:g} %" for fraction in found.fractions]
    rows = [[curve.label, str(curve.seeds), *cells(curve)] for curve in found.curves]
    rows += [[f"*{curve.label}*", str(curve.seeds), *cells(curve, "+")] for curve in found.gains]
    if found.chance is not None:
        rows.append(["*chance*", "", *[f"{100 * found.chance:.1f}"] * len(found.fractions)])
    lines = [f"### {found.title}", "", *(f"| {' | '.join(row)} |" for row in [header, ["---"] * len(header), *rows])]
    return "\n".join(lines) + "\n"


def to_json(found: Sequence[Efficiency]) -> str:
    return json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False)


def plot(found: Efficiency, path: Path) -> None:
    """Average by share, a line a model with its 95 % band; random-init controls dashed. The format follows the file's
    ending.

    Raises:
        HarnessError: matplotlib is not installed, or the ending is of no format.
    """
    with figure(path, 7, 4.5) as axes:
        colors: dict[str, str] = {}
        for curve in found.curves:
            own = curve.label.removesuffix(CONTROL_SUFFIX)
            color = colors.setdefault(own, f"C{len(colors) % 10}")
            xs = sorted(curve.by_fraction)
            points = [curve.by_fraction[x] for x in xs]
            style = "--" if curve.label != own else "-"
            shares = [100 * x for x in xs]
            low, high = [100 * one.low for one in points], [100 * one.high for one in points]
            axes.plot(shares, [100 * one.value for one in points], style, color=color, marker="o", label=curve.label)
            axes.fill_between(shares, low, high, color=color, alpha=0.15, linewidth=0)
        if found.chance is not None:
            axes.axhline(100 * found.chance, color="gray", linestyle=":", label="chance")
        axes.set_xscale("log")
        axes.set_xticks(
            [100 * fraction for fraction in found.fractions], [f"{100 * one:g} %" for one in found.fractions]
        )
        axes.minorticks_off()
        axes.set_xlabel("fraction of the training examples")
        axes.set_ylabel("suite average ×100, 95 % interval")
        axes.set_title(plain(found.title), fontsize=9, wrap=True)
        axes.legend(fontsize=8, handlelength=4)
