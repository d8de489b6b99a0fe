"""The command line: one function a verb. Imports nothing heavy; each verb imports what it needs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn, Optional

import typer

from harness.cli import export as cli_export
from harness.cli import gate as cli_gate
from harness.cli import measure as cli_measure
from harness.cli import report as cli_report
from harness.cli.compress import compress
from harness.cli.options import Include, Json, Mode, Out, say
from harness.cli.progress import Progress
from harness.core.errors import HarnessError, unknown
from harness.core.machine.environment import thread_variables
from harness.core.registry import load_registry
from harness.core.run_spec import SEED_MODES, RunSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.core.strict_yaml import load_mapping
from harness.core.version import __version__
from harness.modeling.predicting import predict as predict_texts
from harness.modeling.weights.pretrained import served_folder
from harness.pipeline.commands import pretrain as command
from harness.pipeline.commands.run import perform, prepare
from harness.report.text import doctor as machine
from harness.report.text import plans, runs
from harness.report.text.prediction_text import render
from harness.report.text.pretraining import checkpoint_json, checkpoint_text

INTERRUPTED = 130

app = typer.Typer(
    name="harness",
    help="Take a language model from raw text to a decision: train, score, compare.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> NoReturn:
    """Run a verb. Bad usage and HarnessError are one line on stderr and exit code 2; Ctrl-C is exit code 130."""
    try:
        code = app(standalone_mode=False)
    except HarnessError as error:
        say(f"error: {error}")
        code = error.exit_code
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:  # the reader of our stdout has gone, e.g. `harness leaderboard | head`
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - or the interpreter complains at exit
        code = 0
    except Exception as error:
        if not hasattr(error, "format_message"):  # typer's own usage errors, whichever click they come from
            raise
        say(f"error: {error.format_message()}; see `harness --help`")
        code = 2
    if code == INTERRUPTED:
        say("interrupted; finished cells are kept, the same command goes on from there")
    sys.exit(code if isinstance(code, int) else 0)


def _complete_tasks(incomplete: str) -> Iterable[str]:
    return _complete("tasks", incomplete)


def _complete_suites(incomplete: str) -> Iterable[str]:
    return _complete("suites", incomplete)


def _complete_models(incomplete: str) -> Iterable[str]:
    return _complete("recipes", incomplete)


def _complete(kind: str, incomplete: str) -> Iterable[str]:
    return [name for name in getattr(load_registry(), kind) if name.startswith(incomplete)]


@app.callback(invoke_without_command=True)
def _global(
    version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True)] = False,
) -> None:
    if version:
        print(f"nlp-harness {__version__}")
        raise typer.Exit


@app.command()
def run(
    suite: Annotated[
        Optional[list[str]],
        typer.Option("--suite", help="A suite of tasks, e.g. glue. Repeatable.", autocompletion=_complete_suites),
    ] = None,
    task: Annotated[
        Optional[list[str]],
        typer.Option("--task", help="A single task. Repeatable.", autocompletion=_complete_tasks),
    ] = None,
    model: Annotated[
        Optional[list[str]],
        typer.Option(
            "--model",
            help="A recipe, a save_pretrained folder or a hub id. Repeatable.",
            autocompletion=_complete_models,
        ),
    ] = None,
    data: Annotated[
        Optional[str],
        typer.Option("--data", metavar="SOURCE", help="embedded, hub, or a folder or file.", show_default="embedded"),
    ] = None,
    seeds: Annotated[
        Optional[int], typer.Option("--seeds", help="How many seeds to train with.", show_default="1")
    ] = None,
    mode: Annotated[Optional[Mode], typer.Option("--mode", help="3, 5 or 10 seeds, in place of --seeds.")] = None,
    first_seed: Annotated[
        Optional[int], typer.Option("--first-seed", help="The first of them.", show_default="0")
    ] = None,
    limit: Annotated[Optional[int], typer.Option("--limit", help="Use the first N examples of each split.")] = None,
    epochs: Annotated[Optional[float], typer.Option("--epochs", help="Instead of the recipe's.")] = None,
    batch_size: Annotated[Optional[int], typer.Option("--batch-size", help="Instead of the recipe's.")] = None,
    optimizer: Annotated[
        Optional[str], typer.Option("--optimizer", help="adamw or adafactor, instead of the recipe's.")
    ] = None,
    learning_rate: Annotated[Optional[float], typer.Option("--learning-rate", help="Instead of the recipe's.")] = None,
    select: Annotated[
        Optional[str],
        typer.Option("--select", help="Keep the last epoch, or the best on the scored split.", show_default="last"),
    ] = None,
    train_fractions: Annotated[
        Optional[str],
        typer.Option("--train-fractions", metavar="F,…", help="Train on these shares of the examples, e.g. 0.1,1."),
    ] = None,
    noise: Annotated[
        Optional[list[str]],
        typer.Option("--noise", help="Score also under typos, case or punctuation noise. Repeatable."),
    ] = None,
    compress: Annotated[
        Optional[list[str]],
        typer.Option(
            "--compress",
            metavar="METHOD",
            help="Score also what a method makes of each fine-tuned transformer: int8, prune-structured:0.5, "
            "distill:RECIPE, or a chain, 'prune-structured:0.5|int8'. Repeatable.",
        ),
    ] = None,
    measure: cli_measure.Measure = None,
    measure_batch: cli_measure.MeasureBatch = None,
    measure_length: cli_measure.MeasureLength = None,
    measure_device: cli_measure.MeasureDevice = None,
    measure_precision: cli_measure.MeasurePrecision = None,
    measure_budget: cli_measure.MeasureBudget = None,
    from_scratch: Annotated[
        Optional[bool],
        typer.Option("--from-scratch", help="Beside each pretrained recipe its twin with random weights."),
    ] = None,
    out: Out = None,
    config: Annotated[
        Optional[Path],
        typer.Option("--config", metavar="FILE", help="A YAML file with these flags as keys; flags win."),
    ] = None,
    workers: Annotated[Optional[int], typer.Option("--workers", help="Processes.", show_default="one a core")] = None,
    threads: Annotated[
        Optional[int],
        typer.Option("--threads", help="Intra-op threads a process.", show_default="calibrated"),
    ] = None,
    executor: Annotated[
        Optional[str],
        typer.Option("--executor", help="What runs the cells: local (processes) or inline.", show_default="local"),
    ] = None,
    include: Include = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the plan, what is cached, and what the rest costs.")
    ] = False,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but failures.")] = False,
) -> None:
    """Train and score models on tasks, then print the leaderboard. Only what is missing is computed."""
    flags = {name: value for name, value in locals().items() if value is not None}

    given = {name: value for name, value in flags.items() if name in RunSpec.model_fields}
    values = {**_config(config), **given}
    where = "the command line" if config is None else f"{config} and the command line"
    mode_of_file = values.pop("mode", None)
    chosen = mode or (None if "seeds" in given else mode_of_file)
    if chosen is not None:
        if "seeds" in (given if mode else values):
            raise HarnessError(f"{where}: seeds and mode: give one or the other")
        if chosen not in SEED_MODES:
            raise unknown("mode", str(chosen), SEED_MODES, where)
        values["seeds"] = SEED_MODES[chosen]
    spec = parse(RunSpec, values, where)
    registry = load_registry([Path(path) for path in spec.include])
    store = Store.open(Path(spec.out))
    prepared = prepare(spec, registry, store, repair=not dry_run)
    for file in prepared.damaged:
        say(f"damaged: {file}; {'would be' if dry_run else 'it is'} computed again")
    if not quiet:
        for absent, reason in prepared.plan.absent.items():
            say(f"absent: {absent}: {reason}")
        for (task_name, model_name), reason in prepared.plan.not_applicable.items():
            say(f"not applicable: {model_name} on {task_name}: {reason}")
    if dry_run:
        print(plans.plan_json(spec, prepared) if as_json else plans.plan_text(spec, prepared))
        return
    if prepared.missing and not quiet:
        say(
            f"{len(prepared.plan.cells)} cells, {len(prepared.cached)} cached; "
            f"{len(prepared.missing)} to compute in {spec.out}"
        )
    with Progress(prepared.missing, quiet) as progress:
        outcome = perform(spec, prepared, store, progress)
    if as_json:
        print(runs.run_json(store, outcome.name))
    elif not quiet:
        print(runs.leaderboard_text(store, [outcome.name], "markdown"))
        say(runs.summary_line(outcome))
    if not outcome.ok:
        raise typer.Exit(1)


@app.command()
def pretrain(
    recipe: Annotated[
        str, typer.Argument(help="A recipe with a pretraining section.", autocompletion=_complete_models)
    ],
    corpus: Annotated[
        Optional[str],
        typer.Option("--corpus", metavar="SOURCE", help="embedded, a file or folder of text, or hub:ID."),
    ] = None,
    sentences: Annotated[Optional[int], typer.Option("--sentences", help="How much of the embedded corpus.")] = None,
    budget: Annotated[Optional[str], typer.Option("--budget", help="Wall-clock time: 90s, 10m, 2h.")] = None,
    steps: Annotated[Optional[int], typer.Option("--steps", help="Optimizer steps.")] = None,
    tokens: Annotated[Optional[int], typer.Option("--tokens", help="Tokens to train on.")] = None,
    optimizer: Annotated[
        Optional[str], typer.Option("--optimizer", help="adamw or adafactor, instead of the recipe's.")
    ] = None,
    learning_rate: Annotated[Optional[float], typer.Option("--learning-rate", help="Instead of the recipe's.")] = None,
    batch_size: Annotated[
        Optional[int], typer.Option("--batch-size", help="Blocks a step, over all processes.")
    ] = None,
    accumulate: Annotated[Optional[int], typer.Option("--accumulate", help="Micro-batches a step.")] = None,
    checkpoint_every: Annotated[Optional[int], typer.Option("--checkpoint-every", help="Steps.")] = None,
    seed: Annotated[Optional[int], typer.Option("--seed", help="Of weights, order and masks.")] = None,
    fsdp: Annotated[
        bool, typer.Option("--fsdp", help="Under torchrun: share the model's weights out over the processes.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint, to the same end.")] = False,
    report_to: Annotated[
        Optional[list[str]], typer.Option("--report-to", help="wandb, tensorboard or mlflow. Repeatable.")
    ] = None,
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", metavar="FOLDER", help="Copy the checkpoint here.")
    ] = None,
    out: Out = None,
    threads: Annotated[
        Optional[int], typer.Option("--threads", help="Intra-op threads.", show_default="calibrated")
    ] = None,
    include: Include = None,
    as_json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but failures.")] = False,
) -> None:
    """Turn raw text into a checkpoint that tasks can be fine-tuned from. Prints its folder."""
    names = (
        "corpus", "sentences", "budget", "steps", "tokens", "optimizer", "learning_rate", "batch_size",
        "accumulate", "checkpoint_every", "seed",
    )  # fmt: skip
    given = locals()
    changes = {name: given[name] for name in names if given[name] is not None}

    registry = load_registry([Path(path) for path in include or []])
    store = Store.open(Path(out or "results"))
    command.check_output(output)
    cell = command.plan(registry, store, recipe, changes)
    tell = (lambda line: None) if quiet else say
    record = command.perform(cell, store, resume, report_to or [], tell, threads, fsdp)
    if command.is_first():
        folder = command.delivered(store, record["cell"], output)
        print(checkpoint_json(record, folder) if as_json else folder)
        tell(checkpoint_text(record))


@app.command()
def predict(
    checkpoint: Annotated[str, typer.Argument(help="A save_pretrained folder, compressed or not, or a hub id.")],
    text: Annotated[list[str], typer.Option("--text", "-t", help="What to complete. Repeatable.")],
    top_k: Annotated[int, typer.Option("--top-k", "-k", help="How many candidates a place.")] = 5,
    max_new_tokens: Annotated[int, typer.Option("--max-new-tokens", help="Of a continuation.")] = 20,
    logits: Annotated[bool, typer.Option("--logits", help="With the raw scores; needs --json.")] = False,
    as_json: Json = False,
) -> None:
    """Fill masks, continue a text or answer it: whatever the checkpoint's head does."""
    import json

    if logits and not as_json:
        raise HarnessError("--logits goes with --json: a vocabulary of scores does not fit a table")
    os.environ.update(thread_variables(1))
    results = predict_texts(served_folder(checkpoint), text, top_k, max_new_tokens, logits)
    print(json.dumps(results, ensure_ascii=False, indent=1) if as_json else render(results))


app.command()(cli_measure.measure)


app.command()(compress)


@app.command()
def doctor(out: Out = None, as_json: Json = False) -> None:
    """Say what this machine offers: threads, instruction set, memory, versions, the hub, the calibration."""

    print(machine.doctor(Path(out or "results"), as_json))


cli_report.add_to(app)
cli_export.add_to(app)
cli_gate.add_to(app)


def _config(path: Path | None) -> dict[str, Any]:
    return {} if path is None else load_mapping(path)


if __name__ == "__main__":
    main()
