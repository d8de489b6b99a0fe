"""The verb `harness pretrain`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harness.cli.checkpoints import begun
from harness.cli.opening import complete_models
from harness.cli.options import Include, Json, Out, Quiet
from harness.cli.spec_options import spec_options
from harness.core.launch_specs import PretrainLaunch
from harness.core.pretraining_specs import PretrainingSpec
from harness.core.text import emit, say
from harness.pipeline.commands import pretrain as command
from harness.report.text.plans import pretraining_plan
from harness.report.text.pretraining import checkpoint_json, checkpoint_text

FIELDS = (
    "corpus", "sentences", "budget", "steps", "tokens", "optimizer", "learning_rate", "batch_size",
    "accumulate", "precision", "checkpoint_every", "seed", "peft",
)  # fmt: skip
"""What the command line can change of a model spec's pretraining."""


@spec_options(PretrainingSpec, FIELDS, hidden_defaults=True)
@spec_options(PretrainLaunch, into="launch")
def pretrain(
    given: dict[str, Any],
    launch: dict[str, Any],
    model_spec: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model spec with a pretraining section, or a checkpoint to train further: a folder or a hub id.",
            autocompletion=complete_models,
        ),
    ],
    out: Out = None,
    include: Include = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn raw text into a checkpoint that tasks can be fine-tuned from. Prints its folder."""
    store, how, registry = begun(out, launch, include)
    cell = command.plan(registry, store, model_spec, given, how.threads)
    if how.dry_run:
        emit(pretraining_plan(cell, store))
        return
    tell = (lambda line: None) if quiet else say
    record = command.perform(cell, store, not how.restart, how.track, tell, how.threads, how.fsdp, include or ())
    if record is not None:  # in the first of the processes that torchrun starts
        folder = command.delivered(store, record.cell, how.output)
        emit(checkpoint_json(record, folder) if as_json else folder)
        tell(checkpoint_text(record))
