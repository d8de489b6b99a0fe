"""The verbs `harness export …`. Imports nothing heavy; each verb imports what it needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.cli.opening import existing_store
from harness.cli.options import Include, Out, examples
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.machine.environment import thread_variables
from harness.core.packages import require_packages
from harness.core.registry import load_registry
from harness.core.store import Store, write_atomically
from harness.core.strict_spec import parse
from harness.core.text import emit, say, size_text
from harness.gating.flips import texts_of
from harness.gating.run_results import of_run
from harness.report.export import hub, source
from harness.report.export import lm_eval as exporter
from harness.report.export.eval_results import write_eval_results
from harness.report.export.every_eval_ever import evaluation, write
from harness.report.export.glue import write_submission
from harness.report.export.model_card import make_card, write_card
from harness.report.export.settings import (
    EeeSpec,
    EvalResultsSpec,
    GgufSpec,
    GlueSubmissionSpec,
    LmEvalSpec,
    ModelCardSpec,
)
from harness.report.export.source import Model, find_model, model_names

gguf_file = lazy("harness.report.export.gguf_file")

app = typer.Typer(
    no_args_is_help=True,
    help="Model cards, GGUF files, GLUE submissions, and results in the forms of lm-eval, Every Eval Ever and the hub.",
)


@app.command(
    "model-card",
    epilog=examples(
        "harness export model-card bert-tiny:sst2 -o card.md",
        "harness export model-card bert-tiny:sst2 --push me/bert-tiny-sst2",
    ),
)
@spec_options(ModelCardSpec)
def model_card(
    given: dict[str, Any],
    model: Annotated[str, typer.Argument(metavar="MODEL[:TASK]", help="A model of the run; of one task, or of all.")],
    out: Out = None,
) -> None:
    """A Hugging Face model card with metadata, scores, intervals, training and lineage. Without --push nothing leaves
    this machine."""

    spec = parse(ModelCardSpec, given, "the command line")
    store = existing_store(out)
    scored_model = source.find_model(store, spec.run, model)
    folder = source.weights_of(store, scored_model) if spec.push is not None else None
    card = make_card(store, scored_model, spec.license)
    if spec.output is not None:
        emit(write_card(card, spec.output))
    if spec.push is not None:
        assert folder is not None
        emit(hub.push(card, folder, spec.push, spec.public, say))


@app.command(
    "glue-submission",
    epilog=examples(
        "harness export glue-submission bert-tiny -o submission.zip",
        "harness export glue-submission bert-tiny -o submission.zip --data ~/glue_data",
    ),
)
@spec_options(GlueSubmissionSpec)
def glue_submission(
    given: dict[str, Any],
    model: Annotated[str, typer.Argument(help="A model that the run trained on every GLUE task.")],
    out: Out = None,
    include: Include = None,
) -> None:
    """Predict GLUE's test sets with a run's models, and write the zip its server takes: eleven files, AX included."""

    os.environ.update(thread_variables(1))
    spec = parse(GlueSubmissionSpec, given, "the command line")
    store = existing_store(out)
    registry = load_registry(include, store.includes())
    files = write_submission(
        registry, store, spec.run, model, spec.output, spec.seed, spec.data, spec.allow_other_data, say
    )
    emit(f"{spec.output}: {', '.join(files)}")


@app.command(
    "gguf",
    epilog=examples(
        "harness export gguf my-gpt/ -o my-gpt.gguf", "harness export gguf my-gpt/ --type q8_0 -o small.gguf"
    ),
)
@spec_options(GgufSpec)
def gguf(
    given: dict[str, Any],
    checkpoint: Annotated[Path, typer.Argument(help="A causal language model's folder, or that of its cell.")],
) -> None:
    """A causal language model (GPT-2, Llama, Qwen2) as a GGUF file, as llama.cpp reads it."""
    os.environ.update(thread_variables(1))
    spec = parse(GgufSpec, given, "the command line")
    require_packages("gguf", extra="gguf")
    facts = gguf_file.write_gguf(checkpoint, spec.output, spec.type)
    emit(
        f"{spec.output}: {facts['architecture']}, {facts['type']}, {facts['tensors']} tensors, "
        f"{facts['parameters']:,} parameters, {size_text(facts['bytes'])}"
    )


@app.command(
    "lm-eval",
    epilog=examples("harness export lm-eval -o results.json", "harness export lm-eval latest --model bert-tiny"),
)
@spec_options(LmEvalSpec)
def lm_eval(
    given: dict[str, Any],
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, part of it, or latest.")] = "latest",
    out: Out = None,
) -> None:
    """A model's scores as lm-evaluation-harness writes them, as JSON."""
    spec = parse(LmEvalSpec, given, "the command line")
    store = existing_store(out)
    scored_model = _only_model(store, run, spec.model)
    text = exporter.to_json(exporter.results(store, scored_model))
    if spec.output is None:
        emit(text)
    else:
        write_atomically(spec.output, text + "\n")


@app.command(
    "eee",
    epilog=examples(
        "harness export eee -o evaluation", "harness export eee latest --model bert-tiny --no-samples -o bert"
    ),
)
@spec_options(EeeSpec)
def eee(
    given: dict[str, Any],
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, part of it, or latest.")] = "latest",
    out: Out = None,
    include: Include = None,
) -> None:
    """A model's scores in the schema of Every Eval Ever, with single examples beside them."""
    spec = parse(EeeSpec, given, "the command line")
    store = existing_store(out)
    scored_model = _only_model(store, run, spec.model)
    results = of_run(store, scored_model.run.run)
    texts = texts_of(results, results, include or []) if spec.samples else None
    content, samples = evaluation(store, scored_model, spec.organization, spec.relationship, texts)
    emit("\n".join(map(str, write(spec.output, content, samples))))
    if spec.samples and not samples:
        say("no examples are written: their texts cannot be read again, or no score is a mean of them")


@app.command(
    "eval-results",
    epilog=examples(
        "harness export eval-results my-model:sst2 --dataset nyu-mll/glue --task-id sst2 -o my-model",
    ),
)
@spec_options(EvalResultsSpec)
def eval_results(
    given: dict[str, Any],
    model: Annotated[str, typer.Argument(metavar="MODEL[:TASK]", help="A model of the run; of one task, or of all.")],
    out: Out = None,
) -> None:
    """A model's scores as the hub reads them from its repository: YAML files in .eval_results."""
    spec = parse(EvalResultsSpec, given, "the command line")
    scored_model = find_model(existing_store(out), spec.run, model)
    written = write_eval_results(scored_model, spec.output, spec.dataset, spec.task_id, spec.metric)
    emit("\n".join(map(str, written)))


def _only_model(store: Store, run: str, name: str | None) -> Model:
    """The model named, or the only one of the run."""
    names = model_names(store.run(run))
    if name is None and len(names) > 1:
        raise HarnessError(f"the run has {len(names)} models and a file is of one; give --model {'|'.join(names)}")
    if not names:
        raise HarnessError(f"run {store.run(run).run} scored nothing")
    return find_model(store, run, name or names[0])
