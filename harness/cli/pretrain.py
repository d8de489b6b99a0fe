"""The verb `harness pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.cli.options import Include, Json, Out, Quiet, complete_models
from harness.cli.spec_options import spec_options
from harness.core.registry import load_registry
from harness.core.run_spec import OUTPUT, WHERE
from harness.core.specs import PretrainingSpec
from harness.core.store import Store
from harness.core.text import emit, say
from harness.pipeline.commands import pretrain as command
from harness.report.text.plans import pretraining_plan
from harness.report.text.pretraining import checkpoint_json, checkpoint_text

FIELDS = (
    "corpus", "sentences", "budget", "steps", "tokens", "optimizer", "learning_rate", "batch_size", "accumulate",
    "checkpoint_every", "seed",
)  # fmt: skip
"""What the command line can change of a model spec's pretraining."""


@spec_options(PretrainingSpec, FIELDS, hidden_defaults=True)
def pretrain(
    given: dict[str, Any],
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model spec with a pretraining section.", autocompletion=complete_models
        ),
    ],
    fsdp: Annotated[
        bool,
        typer.Option(
            "--fsdp", help="Under torchrun: shard the model's weights over the processes.", rich_help_panel=WHERE
        ),
    ] = False,
    restart: Annotated[
        bool,
        typer.Option("--restart/--resume", help="Begin anew, not at the last checkpoint.", rich_help_panel=WHERE),
    ] = False,
    report_to: Annotated[
        Optional[list[str]],
        typer.Option("--report-to", help="wandb, tensorboard or mlflow. Repeatable.", rich_help_panel=OUTPUT),
    ] = None,
    output: Annotated[
        Optional[Path],
        typer.Option("--output", "-o", metavar="FOLDER", help="Copy the checkpoint here.", rich_help_panel=OUTPUT),
    ] = None,
    out: Out = None,
    threads: Annotated[
        Optional[int],
        typer.Option(
            "--threads", min=1, max=1024, help="Intra-op threads.", show_default="calibrated", rich_help_panel=WHERE
        ),
    ] = None,
    include: Include = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Say what would be trained, and how long it takes.", rich_help_panel=OUTPUT),
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn raw text into a checkpoint that tasks can be fine-tuned from. Prints its folder."""
    store = Store.open(Path(out or "results"))
    registry = load_registry(include, store.includes())
    command.check_output(output)
    command.check_trackers(report_to or [])
    cell = command.plan(registry, store, recipe, given, threads)
    if dry_run:
        emit(pretraining_plan(cell, store.has(cell.key), threads))
        return
    tell = (lambda line: None) if quiet else say
    record = command.perform(cell, store, not restart, report_to or [], tell, threads, fsdp)
    if record is not None:  # in the first of the processes that torchrun starts
        folder = command.delivered(store, record.cell, output)
        emit(checkpoint_json(record, folder) if as_json else folder)
        tell(checkpoint_text(record))
