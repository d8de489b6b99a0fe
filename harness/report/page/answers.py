"""Other data, selective answers and worst groups, as their reports found them, for the page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from harness.report.page.model import Chart, Grid
from harness.report.tables import out_of_distribution, selective, worst_group
from harness.report.tables.formats import NONE, number, plainly_signed, without_fingerprint


def other_data_grids(tables: Sequence[out_of_distribution.Table]) -> tuple[Grid, ...]:
    """Scores in and out of distribution, with the change."""
    header = tuple(out_of_distribution.HEADER)
    return tuple(
        Grid(
            without_fingerprint(table.title), header, tuple(map(_other_data_row, table.rows)),
            out_of_distribution.NOTES, numbers_from=3,
        )
        for table in tables
    )  # fmt: skip


def _other_data_row(row: out_of_distribution.Row) -> tuple[str, ...]:
    return (
        row.task,
        row.trained_on,
        row.model,
        str(row.seeds),
        f"{row.inside_n:,} / {row.outside_n:,}",
        number(row.inside, row.scale),
        number(row.outside, row.scale),
        plainly_signed(row.change, row.scale),
        NONE if row.detection is None else number(row.detection),
    )


def selective_charts(tables: Sequence[selective.Table], more: Sequence[str] = ()) -> tuple[Chart, ...]:
    """A risk–coverage curve a task and split, with the numbers of each model."""
    charts: list[Chart] = []
    for table in tables:
        for (task, split), group in groupby(table.rows, lambda row: (row.task, row.split)):
            rows = list(group)
            lines = [
                {
                    "label": row.model,
                    "points": [[round(100 * coverage, 2), round(100 * risk, 3)] for coverage, risk in row.curve],
                }
                for row in rows
            ]
            drawing = {
                "kind": "lines", "x": "coverage: answered, most confident first, %", "y": "risk: wrong of these, %",
                "lines": lines,
            }  # fmt: skip
            name = task if split == "dev" else f"{task} {split}"
            grid = Grid("", tuple(selective.header()[1:]), tuple(tuple(selective.cells(row)) for row in rows))
            title = f"{name}, {without_fingerprint(table.title)}"
            charts.append(Chart(f"selective-{len(charts)}", title, drawing, grid, (*selective.NOTES, *more)))
    return tuple(charts)


def worst_group_grids(tables: Sequence[worst_group.Table], more: Sequence[str] = ()) -> tuple[Grid, ...]:
    """The class and the length of text on which each model is least right."""
    return tuple(
        Grid(
            without_fingerprint(table.title), worst_group.HEADER, tuple(map(tuple, worst_group.lines(table))),
            (*worst_group.notes(table), *more), numbers_from=2,
        )
        for table in tables
    )  # fmt: skip
