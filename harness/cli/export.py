"""The verbs `harness export …`. Imports nothing heavy; each verb imports what it needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.cli.options import Include, Out, examples, existing_store
from harness.core.errors import HarnessError
from harness.core.machine.environment import thread_variables
from harness.core.registry import load_registry
from harness.core.store import write_atomically
from harness.core.text import emit, say
from harness.report.export import hub, source
from harness.report.export import lm_eval as exporter
from harness.report.export.glue import write_submission
from harness.report.export.model_card import make_card, write_card
from harness.report.export.source import find_model, model_names

Run = Annotated[str, typer.Option("--run", metavar="RUN", help="A run's name, part of it, or latest.")]

app = typer.Typer(no_args_is_help=True, help="Model cards, GLUE submissions and lm-eval results from a run.")


@app.command(
    "model-card",
    epilog=examples(
        "harness export model-card bert-tiny:sst2 -o card.md",
        "harness export model-card bert-tiny:sst2 --push me/bert-tiny-sst2",
    ),
)
def model_card(
    model: Annotated[str, typer.Argument(metavar="MODEL[:TASK]", help="A model of the run; of one task, or of all.")],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", metavar="DIR|FILE", help="A .md file, or README.md in a folder.")
    ] = None,
    run: Run = "latest",
    license: Annotated[Optional[str], typer.Option("--license", metavar="ID", help="Such as apache-2.0.")] = None,
    push: Annotated[
        Optional[str], typer.Option("--push", metavar="REPO_ID", help="Upload card and weights to this hub repository.")
    ] = None,
    public: Annotated[
        bool, typer.Option("--public", help="A repository that --push makes is private without.")
    ] = False,
    out: Out = None,
) -> None:
    """A Hugging Face model card with metadata, scores, intervals, training and lineage. Without --push nothing leaves
    this machine."""

    if output is None and push is None:
        raise HarnessError("say where the card goes: --output DIR, --output FILE.md, or --push REPO_ID")
    if public and push is None:
        raise HarnessError("--public goes with --push")
    store = existing_store(out)
    scored_model = source.find_model(store, run, model)
    folder = source.weights_of(store, scored_model) if push is not None else None
    card = make_card(store, scored_model, license)
    if output is not None:
        emit(write_card(card, output))
    if push is not None:
        assert folder is not None
        emit(hub.push(card, folder, push, public, say))


@app.command(
    "glue-submission",
    epilog=examples(
        "harness export glue-submission bert-tiny -o submission.zip",
        "harness export glue-submission bert-tiny -o submission.zip --data ~/glue_data",
    ),
)
def glue_submission(
    model: Annotated[str, typer.Argument(help="A model that the run trained on every GLUE task.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="ZIP", help="The file to write.")],
    run: Run = "latest",
    seed: Annotated[Optional[int], typer.Option("--seed", help="Of the models.", show_default="the lowest")] = None,
    data: Annotated[
        Optional[str],
        typer.Option("--data", metavar="SOURCE", help="Where the test sets are.", show_default="the run's"),
    ] = None,
    allow_other_data: Annotated[
        bool, typer.Option("--allow-other-data", help="Also with test sets of other sizes than GLUE's.")
    ] = False,
    out: Out = None,
    include: Include = None,
) -> None:
    """Predict GLUE's test sets with a run's models, and write the zip its server takes: eleven files, AX included."""

    os.environ.update(thread_variables(1))

    if output.suffix != ".zip":
        raise HarnessError(f"-o {output}: the server takes a .zip")
    if not output.resolve().parent.is_dir():
        raise HarnessError(f"-o {output}: no folder {output.parent}; make it first")
    store = existing_store(out)
    registry = load_registry(include, store.includes())
    files = write_submission(registry, store, run, model, output, seed, data, allow_other_data, say)
    emit(f"{output}: {', '.join(files)}")


@app.command(
    "lm-eval",
    epilog=examples("harness export lm-eval -o results.json", "harness export lm-eval latest --model bert-tiny"),
)
def lm_eval(
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, part of it, or latest.")] = "latest",
    model: Annotated[
        Optional[str], typer.Option("--model", help="Of the run; a file is of one model.", show_default="its only one")
    ] = None,
    output: Annotated[Optional[Path], typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    out: Out = None,
) -> None:
    """A model's scores as lm-evaluation-harness writes them, as JSON."""

    store = existing_store(out)
    names = model_names(store.run(run))
    if model is None and len(names) > 1:
        raise HarnessError(f"the run has {len(names)} models and a file is of one; give --model {'|'.join(names)}")
    if not names:
        raise HarnessError(f"run {store.run(run)['run']} scored nothing")
    scored_model = find_model(store, run, model or names[0])
    text = exporter.to_json(exporter.results(store, scored_model))
    if output is None:
        emit(text)
    else:
        write_atomically(output, text + "\n")
