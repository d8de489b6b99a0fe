"""The verb `harness measure`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from harness.api.models import perform_measure
from harness.cli.options import Include, Json, Out, Plain, Quiet, show_tables
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.facts import facts_from
from harness.core.launch_specs import MeasureFiles
from harness.core.machine.results_place import results_folder
from harness.core.measurement_records import MeasurementFacts
from harness.core.store import write_atomically
from harness.core.strict_spec import parse
from harness.core.text import emit, say
from harness.core.version import __version__
from harness.measurement.benchmark_json import as_benchmarks
from harness.measurement.settings import MeasureSpec
from harness.pipeline.commands import measure as command


@spec_options(MeasureSpec)
@spec_options(MeasureFiles, into="written")
def measure(
    given: dict[str, Any],
    written: dict[str, Any],
    models: Annotated[
        list[str],
        typer.Argument(metavar="A B...", help="The original, then candidates: folders, or MODEL:TASK of the last run."),
    ],
    out: Out = None,
    include: Include = None,
    as_json: Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Time models side by side, with memory and size; exit code 5 where a timing is not valid."""
    files = parse(MeasureFiles, written, "the command line")
    for flag, file in (("-o", files.output), ("--benchmark-json", files.benchmark_json)):
        if file is not None and not file.resolve().parent.is_dir():
            raise HarnessError(f"{flag} {file}: no folder {file.parent}; make it first")
    spec = parse(MeasureSpec, given, "the command line")
    result = perform_measure(
        models, spec, results_folder(out or "results"), include or [], (lambda line: None) if quiet else say
    )
    if files.output is not None:
        write_atomically(files.output, result.to_json() + "\n")
    if files.benchmark_json is not None:
        benchmarks = as_benchmarks(facts_from(MeasurementFacts, result.record, "the measurement"), __version__)
        write_atomically(files.benchmark_json, json.dumps(benchmarks, indent=1, allow_nan=False) + "\n")
    if as_json:
        emit(result.to_json())
    elif not quiet:
        show_tables(result.to_markdown(), plain)
    if not result.valid:
        raise typer.Exit(command.NOT_VALID)
