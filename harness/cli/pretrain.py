"""The verb `harness pretrain`."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from harness.cli.options import Include, Json, Out, Quiet, complete_models
from harness.cli.spec_options import spec_options
from harness.core.launch_specs import PretrainLaunch
from harness.core.machine.calibrate import calibration
from harness.core.machine.environment import thread_variables
from harness.core.machine.results_place import results_folder
from harness.core.pretraining_specs import PretrainingSpec
from harness.core.registry import load_registry
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.core.text import emit, say
from harness.pipeline.commands import pretrain as command
from harness.pipeline.tracking import check_trackers
from harness.report.text.plans import pretraining_plan
from harness.report.text.pretraining import checkpoint_json, checkpoint_text

FIELDS = (
    "corpus", "sentences", "budget", "steps", "tokens", "optimizer", "learning_rate", "batch_size",
    "accumulate", "checkpoint_every", "seed", "peft",
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
    store = Store.open(results_folder(out or "results"))
    how = parse(PretrainLaunch, launch, "the command line")
    os.environ.update(thread_variables(how.threads or int(calibration()["threads"])))  # before torch is imported
    registry = load_registry(include, store.includes())
    command.check_output(how.output)
    check_trackers(how.track)
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
