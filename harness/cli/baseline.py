"""The verbs `harness baseline …`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harness.cli.opening import existing_store, folders, load_plugins
from harness.cli.options import Baselines, Include, Json, Out, Plain, examples, show_tables
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.strict_spec import parse
from harness.core.text import emit, say
from harness.gating import baseline as accepted_baselines
from harness.gating.baseline import accept as write
from harness.gating.run_results import of_run, only_models
from harness.gating.settings import AcceptSpec
from harness.gating.sources import resolve
from harness.report.text.gating import baseline_text, baselines_text, diff_text

app = typer.Typer(no_args_is_help=True, help="Accepted baselines: what the gate judges against.")


@app.command(
    "accept",
    epilog=examples(
        "harness baseline accept --name glue-main", "harness baseline accept latest --name glue-main --model bert-tiny"
    ),
)
@spec_options(AcceptSpec)
def accept(
    given: dict[str, Any],
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, part of it, or latest.")] = "latest",
    out: Out = None,
    baselines: Baselines = None,
    include: Include = None,
) -> None:
    """Write a run's scores and predictions to baselines/accepted/NAME.json, a file for git."""
    spec = parse(AcceptSpec, given, "the command line")
    load_plugins(include)
    results = only_models(of_run(existing_store(out), run), spec.models)
    path = write(results, spec.name, folders(out, baselines)[1], spec.texts)
    say(f"accepted run {results.name}: {len(results.models)} models on {len(results.tasks)} tasks, "
        f"{path.stat().st_size / 1000:.0f} KB")  # fmt: skip
    emit(path)


@app.command("list", epilog=examples("harness baseline list", "harness baseline list --json"))
def list_baselines(baselines: Baselines = None, as_json: Json = False, plain: Plain = False) -> None:
    """List the accepted baselines; a damaged one is named as such."""

    text, sound = baselines_text(folders(None, baselines)[1], as_json)
    show_tables(text, plain or as_json)
    if not sound:
        raise typer.Exit(4)


@app.command("show", epilog=examples("harness baseline show glue-main", "harness baseline show glue-main --json"))
def show(
    name: Annotated[str, typer.Argument(help="A baseline's name or file.")],
    baselines: Baselines = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Show a baseline: its run, data, scores and environment."""

    path = accepted_baselines.find(name, folders(None, baselines)[1])
    show_tables(baseline_text(accepted_baselines.load(path), as_json), plain or as_json)


@app.command(
    "diff",
    epilog=examples("harness baseline diff glue-main latest", "harness baseline diff glue-main glue-next --json"),
)
def diff(
    base: Annotated[str, typer.Argument(help="A baseline, or whatever `compare` takes.")],
    other: Annotated[str, typer.Argument(help="The same.")],
    out: Out = None,
    baselines: Baselines = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Show what changed from one baseline to another: tasks, data, versions, models, scores, environment."""

    root, accepted = folders(out, baselines)
    both = resolve(base, root, accepted), resolve(other, root, accepted)
    if tool := next((results.name for results in both if results.tool), None):
        raise HarnessError(f"{tool} is of another tool; `harness compare {base} {other}` compares them")
    text = diff_text(*both, as_json)
    show_tables(text, plain or as_json)
