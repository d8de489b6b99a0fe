"""The verb `harness meta-train`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harness.cli.checkpoints import begun
from harness.cli.opening import complete_models
from harness.cli.options import Include, Json, Out, Quiet
from harness.cli.spec_options import spec_options
from harness.core.launch_specs import PretrainLaunch
from harness.core.meta_spec import MetaSpec
from harness.core.text import emit, say
from harness.pipeline.commands import meta_train as command
from harness.pipeline.commands import pretrain
from harness.report.text.meta_training import meta_json, meta_text, meta_training_plan

FIELDS = (
    "tasks", "data", "limit", "method", "head", "ways", "k", "queries", "alpha", "steps", "episodes", "inner_steps",
    "inner_rate", "learning_rate", "max_length", "checkpoint_every", "seed",
)  # fmt: skip
LAUNCH = ("restart", "threads", "track", "output", "dry_run")


@spec_options(MetaSpec, FIELDS, hidden_defaults=True)
@spec_options(PretrainLaunch, LAUNCH, into="launch")
def meta_train(
    given: dict[str, Any],
    launch: dict[str, Any],
    model_spec: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model spec, or the folder of a pretrained encoder.", autocompletion=complete_models
        ),
    ],
    out: Out = None,
    include: Include = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Turn a checkpoint into one that adapts to other tasks by few examples: trained on episodes of several tasks. What
    the model spec says in its section meta holds, unless said otherwise. Prints its folder.
    """
    store, how, registry = begun(out, launch, include)
    cells = command.plan(registry, store, model_spec, given, how.threads)
    if how.dry_run:
        emit(meta_training_plan(cells, store))
        return
    tell = (lambda line: None) if quiet else say
    record = command.perform(cells, store, not how.restart, how.track, tell, how.threads, include or ())
    folder = pretrain.delivered(store, record.cell, how.output)
    emit(meta_json(record, folder) if as_json else folder)
    tell(meta_text(record))
