"""Leaderboards as LaTeX: a booktabs table each."""

from __future__ import annotations

from collections.abc import Sequence

from harness.report.tables.formats import PLAIN, grid_of, notes, printable, title
from harness.report.tables.layout import Layout
from harness.report.tables.report_format import ReportFormat, one_after_another
from harness.report.tables.table import Table


def to_latex(table: Table, layout: Layout = PLAIN) -> str:
    """A booktabs table (needs the package booktabs)."""
    grid = grid_of(
        table, layout, bold=lambda text: rf"\textbf{{{text}}}", plain=_latex, italic=lambda text: rf"\emph{{{text}}}"
    )
    width = len(grid.header)
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(title(table))}}}",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
        _latex_line(grid.header),
    ]
    for name, rows in grid.groups:
        heading = [rf"\multicolumn{{{width}}}{{l}}{{\emph{{{name}}}}} \\"] if name is not None else []
        lines += [r"\midrule", *heading, *map(_latex_line, rows)]
    lines += [r"\midrule", *map(_latex_line, grid.references)] if grid.references else []
    lines += [r"\bottomrule", r"\end{tabular}"]
    remarks = " ".join(_latex(note) for note in notes(table, layout))
    lines += [rf"\par\smallskip\footnotesize {remarks}", r"\end{table}"]
    return "\n".join(lines) + "\n"


def _latex_line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"{\char34}", "–": "--", "±": r"$\pm$", "×": r"$\times$", "†": r"$\dagger$",
    "↓": r"$\downarrow$",
    "[": "{[}", "]": "{]}", "*": "{*}",  # after \\ these would be read as its arguments
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(LATEX.get(letter, letter) for letter in printable(text))


class Latex(ReportFormat):
    """A booktabs table (needs the package booktabs) for each of the tables."""

    def render(self, tables: Sequence[Table], layout: Layout) -> str:
        return one_after_another(tables, layout, to_latex)


FORMAT = Latex()
