"""The verb `harness measure`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.api.models import perform_measure
from harness.cli.options import Include, Json, Out, Plain, Quiet, show_tables
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.facts import facts_from
from harness.core.measurement_records import MeasurementFacts
from harness.core.run_spec import OUTPUT
from harness.core.store import write_atomically
from harness.core.strict_spec import parse
from harness.core.text import emit, say
from harness.core.version import __version__
from harness.measurement.benchmark_json import as_benchmarks
from harness.measurement.settings import MeasureSpec
from harness.pipeline.commands import measure as command


@spec_options(MeasureSpec)
def measure(
    given: dict[str, Any],
    models: Annotated[
        list[str],
        typer.Argument(metavar="A B...", help="The original, then candidates: folders, or MODEL:TASK of the last run."),
    ],
    out: Out = None,
    include: Include = None,
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", metavar="FILE", help="Write the whole result as JSON.", rich_help_panel=OUTPUT),
    ] = None,
    benchmark_json: Annotated[
        Optional[Path],
        typer.Option(
            "--benchmark-json",
            metavar="FILE",
            help="Write the times as pytest-benchmark does.",
            rich_help_panel=OUTPUT,
        ),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Time models side by side, with memory and size; exit code 5 where a timing is not valid."""
    for flag, file in (("-o", output), ("--benchmark-json", benchmark_json)):
        if file is not None and not file.resolve().parent.is_dir():
            raise HarnessError(f"{flag} {file}: no folder {file.parent}; make it first")
    spec = parse(MeasureSpec, given, "the command line")
    result = perform_measure(models, spec, Path(out or "results"), include or [], (lambda line: None) if quiet else say)
    if output is not None:
        write_atomically(output, result.to_json() + "\n")
    if benchmark_json is not None:
        benchmarks = as_benchmarks(facts_from(MeasurementFacts, result.record, "the measurement"), __version__)
        write_atomically(benchmark_json, json.dumps(benchmarks, indent=1, allow_nan=False) + "\n")
    if as_json:
        emit(result.to_json())
    elif not quiet:
        show_tables(result.to_markdown(), plain)
    if not result.valid:
        raise typer.Exit(command.DOES_NOT_COUNT)
