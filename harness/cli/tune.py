"""The verb `harness tune`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated, Any

import typer

from harness.api.tuning import perform_tune, plan_tune
from harness.cli.opening import complete_models, complete_tasks
from harness.cli.options import Json, Plain, Quiet, show_tables
from harness.cli.progress import Progress
from harness.cli.spec_options import spec_options
from harness.core.run_spec import RunSpec
from harness.core.search_spec import TuneSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.core.text import emit, say
from harness.pipeline.cells import Event
from harness.pipeline.commands.run import Prepared
from harness.report.text import runs
from harness.report.text.search_plans import plan_text
from harness.report.text.searching import search_text

FIELDS = (
    "data", "text_column", "label_column", "delimiter", "test", "dev_fraction", "limit", "allow_dropped",
    "allow_partial", "seeds", "first_seed", "epochs", "batch_size", "optimizer", "learning_rate", "max_length", "peft",
    "out", "executor", "address", "resources", "cluster", "cluster_option", "workers", "threads", "include",
)  # fmt: skip
"""The fields of a run that a search takes: its data, what is not searched, and how cells are computed."""


@spec_options(RunSpec, FIELDS)
@spec_options(TuneSpec, into="wanted")
def tune(
    given: dict[str, Any],
    wanted: dict[str, Any],
    task: Annotated[str, typer.Argument(help="The task.", autocompletion=complete_tasks)],
    model: Annotated[
        str,
        typer.Argument(
            help="A model spec, its file, a save_pretrained folder or a hub id.", autocompletion=complete_models
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Search training values on a part of the training examples; train the best on all of them, and score it once."""
    search = parse(TuneSpec, wanted, "the command line")
    run = parse(RunSpec, {**given, "task": [task], "model": [model]}, "the command line")
    if search.dry_run:
        emit(plan_text(plan_tune(run, search)))
        return
    with ExitStack() as stack:
        shown: list[Progress] = []

        def begin(prepared: Prepared) -> None:
            stack.pop_all().close()
            shown.append(stack.enter_context(Progress(prepared.missing, quiet, None)))

        def listen(event: Event) -> None:
            shown[-1](event)

        result = perform_tune(run, search, listen, begin, (lambda line: None) if quiet else say)
    if as_json:
        emit(runs.run_json(Store(result.run.root), result.run.name))
    elif not quiet:
        show_tables(search_text(result.record), plain)
        show_tables(result.run.to_markdown() if result.run.scores else "", plain)
        say(runs.summary_line(Store(result.run.root).run(result.run.name)))
    if not result.run.ok:
        raise typer.Exit(1)
