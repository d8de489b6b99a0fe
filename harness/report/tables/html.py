"""A leaderboard as a fragment of HTML, to be put into a page of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from harness.report.tables.formats import PLAIN, grid_of, notes, printable, title
from harness.report.tables.layout import Layout
from harness.report.tables.report_format import ReportFormat, one_after_another
from harness.report.tables.table import Table


def to_html(table: Table, layout: Layout = PLAIN) -> str:
    """A `<table>` with caption and scopes, a `<tbody>` a group, chance, ceiling and examples in its foot; the notes
    after it. No style, no script; all text escaped. Ends with a newline.
    """
    grid = grid_of(
        table,
        layout,
        bold=lambda text: f"<strong>{text}</strong>",
        plain=_text,
        italic=lambda text: f"<em>{text}</em>",
    )
    width = len(grid.header)
    lines = ['<table class="harness-leaderboard">', f"<caption>{_text(title(table))}</caption>", "<thead>"]
    lines += [_line([f'<th scope="col">{cell}</th>' for cell in grid.header]), "</thead>"]
    for heading, rows in grid.groups:
        lines.append("<tbody>")
        if heading is not None:
            lines.append(_line([f'<th scope="rowgroup" colspan="{width}">{heading}</th>']))
        lines += [*map(_row, rows), "</tbody>"]
    if grid.references:
        lines += ["<tfoot>", *map(_row, grid.references), "</tfoot>"]
    lines += ["</table>", *(f"<p>{_text(note)}</p>" for note in notes(table, layout))]
    return "\n".join(lines) + "\n"


def _row(cells: list[str]) -> str:
    first, *rest = cells
    return _line([f'<th scope="row">{first}</th>', *(f"<td>{cell}</td>" for cell in rest)])


def _line(cells: list[str]) -> str:
    return f"<tr>{''.join(cells)}</tr>"


def _text(text: str) -> str:
    return escape(printable(text))


class Html(ReportFormat):
    """A `<table>` for each of the tables, without style or script."""

    stands_in_markdown = True

    def render(self, tables: Sequence[Table], layout: Layout) -> str:
        return one_after_another(tables, layout, to_html)


FORMAT = Html()
