"""The verb `harness leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.cli.opening import existing_store, load_plugins
from harness.cli.options import Include, Out, Plain, show_tables
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.store import write_atomically
from harness.core.strict_spec import parse
from harness.core.text import emit, say
from harness.report.tables.layout import parse_layout
from harness.report.tables.markers import update_file
from harness.report.tables.report_format import ALIASES, FORMATS, format_named
from harness.report.tables.settings import LeaderboardSpec
from harness.report.text import diagnostics
from harness.report.text.page import write_page
from harness.report.text.pretraining import pretraining_text
from harness.report.text.runs import efficiency_text, leaderboard_text

DIAGNOSTIC_TEXTS = {
    "robustness": diagnostics.robustness_text,
    "out_of_distribution": diagnostics.out_of_distribution_text,
    "calibration": diagnostics.calibration_text,
    "selective": diagnostics.selective_text,
    "worst_group": diagnostics.worst_group_text,
    "compression": diagnostics.compression_text,
    "ranks": diagnostics.ranks_text,
}


@spec_options(LeaderboardSpec)
def leaderboard(
    given: dict[str, Any],
    runs: Annotated[
        Optional[list[str]], typer.Argument(metavar="[RUN]...", help="Runs; all where none is named.")
    ] = None,
    out: Out = None,
    plain: Plain = False,
    include: Include = None,
) -> None:
    """Print tables of models by tasks, with averages and intervals. Scores on different data are never in one table."""
    spec = parse(LeaderboardSpec, given, "the command line")
    if spec.html is not None:
        say(write_page(existing_store(out), runs or [], spec.html, [Path(path) for path in include or []]))
        return
    style = _style(spec.format, include)
    layout = parse_layout(spec.columns, spec.sort, spec.group_by)
    if spec.update is not None and not FORMATS.get(style).stands_in_markdown:
        raise HarnessError(f"--update puts a table into Markdown, as md or html, not {style}")
    store = existing_store(out)
    if spec.by_fraction:
        text = efficiency_text(store, runs or [], style, spec.plot)
    elif spec.pretraining:
        text = pretraining_text(store, runs or [], style, spec.plot)
    elif spec.diagnostic is not None:
        text = DIAGNOSTIC_TEXTS[spec.diagnostic](store, runs or [], style)
    else:
        text = leaderboard_text(store, runs or [], style, layout, spec.show, spec.pareto)
    if spec.update is not None:
        say(f"{spec.update}: {'updated' if update_file(spec.update, text, spec.marker) else 'is up to date'}")
    elif spec.output is not None:
        write_atomically(spec.output, text + "\n")
    elif style == "markdown":
        show_tables(text, plain)
    else:
        emit(text)


def _style(format: str, include: list[str] | None) -> str:
    """The name of a format; plug-ins are looked for where some are included, or where it is not built in."""
    load_plugins(include)
    if not include and format not in (*ALIASES, *FORMATS.names()):
        load_registry()
    return format_named(format)
