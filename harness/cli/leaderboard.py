"""The verb `harness leaderboard`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.options import Include, Out, Pareto, Plain, Show, existing_store, load_plugins, show_tables
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.store import write_atomically
from harness.core.text import emit, say
from harness.report.tables.layout import parse_layout
from harness.report.tables.markers import update_file
from harness.report.tables.report_format import ALIASES, FORMATS, format_named
from harness.report.text import diagnostics
from harness.report.text.page import write_page
from harness.report.text.runs import efficiency_text, leaderboard_text


def leaderboard(
    runs: Annotated[
        Optional[list[str]], typer.Argument(metavar="[RUN]...", help="Runs; all where none is named.")
    ] = None,
    out: Out = None,
    format: Annotated[
        str,
        typer.Option(
            "--format", "-f", metavar="NAME", help="md, csv, json, latex, html (a table for a page), or a plug-in's."
        ),
    ] = "md",
    output: Annotated[Optional[Path], typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    sort: Annotated[
        Optional[str],
        typer.Option("--sort", metavar="COLUMN[:asc|desc]", help="A task, average, model, seeds, parameters, …"),
    ] = None,
    columns: Annotated[
        Optional[str],
        typer.Option("--columns", metavar="A,B,…", help="Only these: tasks, average, seeds, learner, parameters, …"),
    ] = None,
    group_by: Annotated[
        Optional[str], typer.Option("--group-by", metavar="KEY", help="base, learner, method, runtime or seeds.")
    ] = None,
    update: Annotated[
        Optional[Path],
        typer.Option("--update", metavar="FILE", help="Replace the table between the markers of a Markdown file."),
    ] = None,
    marker: Annotated[
        Optional[str], typer.Option("--marker", metavar="NAME", help="Of several tables in that file, this one.")
    ] = None,
    by_fraction: Annotated[
        bool, typer.Option("--by-fraction", help="Averages by the fraction of the training examples.")
    ] = False,
    plot: Annotated[
        Optional[Path], typer.Option("--plot", metavar="FILE", help="Draw them: .png, .svg or .pdf.")
    ] = None,
    robustness: Annotated[
        bool, typer.Option("--robustness", help="What scores lose under the noise of `run --noise`.")
    ] = False,
    calibration: Annotated[
        bool, typer.Option("--calibration", help="Calibration of classes before and after a temperature.")
    ] = False,
    compression: Annotated[
        bool,
        typer.Option("--compression", help="Compressed models against their originals: quality, speed, memory, size."),
    ] = False,
    plain: Plain = False,
    show: Show = None,
    pareto: Pareto = None,
    page: Annotated[
        Optional[Path], typer.Option("--html", metavar="FILE", help="One page to open in a browser, with plots.")
    ] = None,
    include: Include = None,
) -> None:
    """Print tables of models by tasks, with averages and intervals. Scores on different data are never in one table."""

    if by_fraction + robustness + calibration + compression > 1:
        raise HarnessError("give one of --by-fraction, --robustness, --calibration and --compression")
    if (show or pareto) and by_fraction + robustness + calibration + compression:
        raise HarnessError("--show and --pareto go with the plain leaderboard")
    if plot is not None and not by_fraction:
        raise HarnessError("--plot goes with --by-fraction")
    if page is not None:
        others = (
            by_fraction,
            robustness,
            calibration,
            compression,
            output,
            columns,
            sort,
            group_by,
            update,
            show,
            pareto,
        )
        if any(others) or format != "md":
            raise HarnessError("--html is a page of all tables: give it alone, with runs, --results and --include")

        say(write_page(existing_store(out), runs or [], page, [Path(path) for path in include or []]))
        return
    style = _style(format, include)
    layout = parse_layout(columns, sort, group_by)
    if (columns or sort or group_by) and by_fraction + robustness + calibration + compression:
        raise HarnessError("--columns, --sort and --group-by are of the leaderboard itself, not of its other tables")
    _check_update(update, marker, output, style)
    store = existing_store(out)
    if by_fraction:
        text = efficiency_text(store, runs or [], style, plot)
    elif robustness or calibration or compression:
        texts = {
            diagnostics.robustness_text: robustness,
            diagnostics.calibration_text: calibration,
            diagnostics.compression_text: compression,
        }
        (text_of,) = [function for function, asked in texts.items() if asked]
        text = text_of(store, runs or [], style)
    else:
        text = leaderboard_text(store, runs or [], style, layout, show, pareto)
    if update is not None:
        say(f"{update}: {'updated' if update_file(update, text, marker) else 'is up to date'}")
    elif output is not None:
        write_atomically(output, text + "\n")
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


def _check_update(update: Path | None, marker: str | None, output: Path | None, style: str) -> None:
    if marker is not None and update is None:
        raise HarnessError("--marker goes with --update")
    if update is not None and output is not None:
        raise HarnessError("give one of --output and --update")
    if update is not None and not FORMATS.get(style).stands_in_markdown:
        raise HarnessError(f"--update puts a table into Markdown, as md or html, not {style}")
