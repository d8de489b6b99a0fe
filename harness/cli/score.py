"""The verb `harness score`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harness.cli.opening import existing_store
from harness.cli.options import Include, Json, Out, Plain, show_tables
from harness.cli.spec_options import spec_options
from harness.core.lookup_specs import ScoreSpec
from harness.core.registry import load_registry
from harness.core.strict_spec import parse
from harness.report.text.rescoring import rescore


@spec_options(ScoreSpec)
def score(
    given: dict[str, Any],
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, part of it, or latest.")] = "latest",
    out: Out = None,
    include: Include = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Compute a run's metrics again from its stored predictions, and compare."""

    metrics = parse(ScoreSpec, given, "the command line").metric
    load_registry(include)
    text, same = rescore(existing_store(out), name, metrics, as_json)
    show_tables(text, plain or as_json)
    if not same:
        raise typer.Exit(1)
