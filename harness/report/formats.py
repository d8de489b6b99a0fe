"""Leaderboards as Markdown, LaTeX, CSV and JSON. Names come from users: every format escapes them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from harness.report.leaderboard import Column, Row, Score, Table
from harness.stats.aggregate import Estimate

SCHEMA_VERSION = 1
NONE = "–"
EMBEDDED = "embedded data, generated: not GLUE"
BEST = "Bold: the score's whole interval lies above every other model's."


def title(table: Table) -> str:
    """Suite, source, fingerprint: what a reader must know before the first number."""
    source = EMBEDDED if table.source == "embedded" else f"{table.source}: {table.location}"
    limit = f", first {table.limit} examples of each split" if table.limit else ""
    return f"{table.suite} on {source}{limit} [data {table.fingerprint[:12]}]"


def notes(table: Table) -> list[str]:
    """What stands below a table."""
    seeds = sorted({row.seeds for row in table.rows})
    many = " and, with several seeds, over seeds (±: their standard deviation)" if seeds[-1] > 1 else ""
    said = [f"Scores ×100 with 95 % intervals over examples{many}. {BEST}"]
    if len(table.averaged) < table.of_tasks:
        said.append(
            f"The average is over {len(table.averaged)} of {table.of_tasks} tasks; absent: {_listed(table.absent) or 'none'}."
        )
    elif table.absent:
        said.append(f"Absent: {_listed(table.absent)}.")
    if table.unlabelled:
        said.append(f"Without labels, so predictions only: {_listed(table.unlabelled)}.")
    diagnostics = [column.task for column in table.columns if column.diagnostic]
    if diagnostics:
        said.append(f"* not part of the average: {_listed(diagnostics)}.")
    if any(column.ceiling for column in table.columns):
        said.append("Ceiling: what the noise-free labels score. Chance: the best constant answer.")
    else:
        said.append("Chance: the best constant answer.")
    return said


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names)


def to_markdown(table: Table) -> str:
    """A table that is aligned in a terminal and renders on the web; ends with a newline."""
    header, body = _grid(table, bold=lambda text: f"**{text}**", plain=_markdown, italic=lambda text: f"*{text}*")
    widths = [max(len(line[index]) for line in [header, *body]) for index in range(len(header))]
    lines = [f"### {_markdown(title(table))}", ""]
    lines.append(_markdown_line(header, widths))
    lines.append(
        "|" + "|".join("-" * (width + 1) + (":" if index else "-") for index, width in enumerate(widths)) + "|"
    )
    lines += [_markdown_line(line, widths) for line in body]
    lines += ["", *(_markdown(note) for note in notes(table))]
    return "\n".join(lines) + "\n"


def _markdown_line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first, *rest = (
        cell.ljust(width) if index == 0 else cell.rjust(width)
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "| " + " | ".join([first, *rest]) + " |"


def _markdown(text: str) -> str:
    text = re.sub(r"[\x00-\x1f\x7f]", " ", text)
    return re.sub(r"([\\|*`<>\[\]])", r"\\\1", text) if re.search(r"[\\|*`<>]", text) else text


def to_latex(table: Table) -> str:
    """A booktabs table (needs the package booktabs)."""
    header, body = _grid(
        table, bold=lambda text: rf"\textbf{{{text}}}", plain=_latex, italic=lambda text: rf"\emph{{{text}}}"
    )
    models, references = body[: len(table.rows)], body[len(table.rows) :]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_latex(title(table))}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
    ]
    lines += [" & ".join(header) + r" \\", r"\midrule", *(" & ".join(line) + r" \\" for line in models)]
    lines += [r"\midrule", *(" & ".join(line) + r" \\" for line in references), r"\bottomrule", r"\end{tabular}"]
    lines += [r"\par\smallskip\footnotesize " + " ".join(_latex(note) for note in notes(table)), r"\end{table}"]
    return "\n".join(lines) + "\n"


LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "±": r"$\pm$", "×": r"$\times$", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip


def _latex(text: str) -> str:
    return "".join(LATEX.get(letter, " " if ord(letter) < 32 else letter) for letter in text)


def _grid(
    table: Table, bold: Callable[[str], str], plain: Callable[[str], str], italic: Callable[[str], str]
) -> tuple[list[str], list[list[str]]]:
    """Header and body cells, escaped. Models first, then the number of examples, chance and ceiling."""
    several = any(row.seeds > 1 for row in table.rows)
    header = [
        "model",
        *(["seeds"] if several else []),
        *(["average"] if table.averaged else []),
        *(_head(column) for column in table.columns),
    ]

    def shown(score: Score | None) -> str:
        if score is None:
            return plain(NONE)
        text = plain(_number(score.estimate))
        return bold(text) if score.best else text

    def line(row: Row) -> list[str]:
        average = [shown(row.average)] if table.averaged else []
        return [
            plain(row.label),
            *([str(row.seeds)] if several else []),
            *average,
            *(shown(row.scores.get(column.task)) for column in table.columns),
        ]

    def reference(name: str, average: str, cells: Sequence[str]) -> list[str]:
        return [
            italic(name),
            *([""] if several else []),
            *([plain(average)] if table.averaged else []),
            *(plain(cell) for cell in cells),
        ]

    body = [line(row) for row in table.rows]
    body.append(reference("chance", _percent(table.chance), [_percent(column.chance) for column in table.columns]))
    if any(column.ceiling for column in table.columns):
        ceilings = [_number(column.ceiling) if column.ceiling else NONE for column in table.columns]
        body.append(reference("ceiling", _number(table.ceiling) if table.ceiling else NONE, ceilings))
    body.append(reference("examples", "", ["/".join(map(str, column.n.values())) for column in table.columns]))
    return [plain(name) for name in header], body


def _head(column: Column) -> str:
    return f"{column.task} *" if column.diagnostic else column.task


def _number(estimate: Estimate) -> str:
    """`81.2 ±0.4 [78.0, 84.1]`, times 100."""
    sd = f" ±{100 * estimate.sd:.1f}" if estimate.sd is not None else ""
    return f"{100 * estimate.value:.1f}{sd} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"


def _percent(value: float | None) -> str:
    return NONE if value is None else f"{100 * value:.1f}"


CSV_COLUMNS = (
    "suite", "source", "location", "limit", "fingerprint", "model", "model_id", "task", "split", "metric", "value", "low", "high",
    "sd", "seeds", "n", "chance", "ceiling", "best",
)  # fmt: skip


def to_csv(tables: Sequence[Table]) -> str:
    """One line for each model, task, split and metric, and for each task score and average (split and metric empty).
    Full precision, scale 0…1.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for table in tables:
        head = [table.suite, table.source, table.location, table.limit]
        for row in table.rows:
            who = [row.label, row.model]
            if row.average:
                ceiling = table.ceiling.value if table.ceiling else None
                own = [*_values(row.average.estimate), row.seeds, None, table.chance, ceiling, row.average.best]
                writer.writerow(map(_csv, [*head, table.fingerprint, *who, "average", None, None, *own]))
            for column in table.columns:
                score = row.scores.get(column.task)
                if score is None:
                    continue
                ceiling = column.ceiling.value if column.ceiling else None
                own = [*_values(score.estimate), row.seeds, sum(column.n.values()), column.chance, ceiling, score.best]
                writer.writerow(map(_csv, [*head, column.fingerprint, *who, column.task, None, None, *own]))
                for part in score.parts:
                    own = [*_values(part.estimate), row.seeds, part.n, None, None, None]
                    writer.writerow(
                        map(_csv, [*head, column.fingerprint, *who, column.task, part.split, part.metric, *own])
                    )
    return out.getvalue()


def _values(estimate: Estimate) -> list[float | None]:
    return [estimate.value, estimate.low, estimate.high, estimate.sd]


def _csv(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value


def to_json(tables: Sequence[Table]) -> str:
    """Everything, at full precision, scale 0…1."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "tables": [{"title": title(table), **asdict(table), "notes": notes(table)} for table in tables],
        },
        indent=1,
        ensure_ascii=False,
    )
