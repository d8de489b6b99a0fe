"""The verbs that judge: compare, gate, baseline. Imports nothing heavy; each verb imports what it needs."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.cli.options import Include, Json, Mode, Out, existing_store, load_plugins, say
from harness.core.errors import HarnessError
from harness.core.machine.environment import thread_variables
from harness.core.registry import load_registry
from harness.core.store import Store, write_atomically
from harness.gating import baseline as accepted_baselines
from harness.gating.baseline import FOLDER
from harness.gating.baseline import accept as write
from harness.gating.benchmarks import judge_benchmarks
from harness.gating.evidence import of_run, only_models
from harness.gating.measured import read
from harness.gating.remeasure import measure_again
from harness.gating.settings import settings
from harness.gating.sources import resolve
from harness.report.text import gating
from harness.report.text.gating import baseline_text, baselines_text, diff_text


class By(StrEnum):
    task = "task"
    slice = "slice"
    layer = "layer"


class Format(StrEnum):
    markdown = "markdown"
    json = "json"


class Change(StrEnum):
    tokenizer = "tokenizer"
    training_data = "training-data"


Baselines = Annotated[
    Optional[Path],
    typer.Option(
        "--baselines", metavar="DIR", help="The folder of accepted baselines.", show_default="baselines/accepted"
    ),
]
Models = Annotated[Optional[list[str]], typer.Option("--model", help="Only this model of the run. Repeatable.")]
Pairs = Annotated[
    Optional[list[str]],
    typer.Option(
        "--model",
        metavar="BASE[=CANDIDATE]",
        help="Only this model of the base, and which one of the candidate stands beside it. Repeatable.",
    ),
]
Margin = Annotated[
    Optional[float], typer.Option("--margin", help="The least drop that counts, 0.01: one point.", show_default="0.01")
]
Seeds = Annotated[Optional[int], typer.Option("--seeds", help="Only the base's first so many seeds.")]
Config = Annotated[
    Optional[Path],
    typer.Option("--config", metavar="FILE", help="A YAML file: margins of tasks and metrics, these flags; flags win."),
]

baseline_app = typer.Typer(no_args_is_help=True, help="Accepted baselines: what the gate judges against.")


def add_to(app: typer.Typer) -> None:
    """The verbs of this module, as verbs of the command line."""
    app.command()(compare)
    app.command()(gate)
    app.add_typer(baseline_app, name="baseline")


def compare(
    base: Annotated[str, typer.Argument(help="A run, latest, a results folder, or a baseline's name or file.")],
    candidate: Annotated[str, typer.Argument(help="The same; what is compared with the base.")],
    by: Annotated[By, typer.Option("--by", help="Whole tasks, or also their slices, or the models' layers.")] = By.task,
    margin: Margin = None,
    model: Pairs = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.markdown,
    output: Annotated[Optional[Path], typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    out: Out = None,
    baselines: Baselines = None,
    include: Include = None,
) -> None:
    """Compare two runs on the same examples: drops with intervals, what could be detected, which examples flipped."""

    os.environ.update(thread_variables(1))  # before torch is imported, where layers are compared

    load_plugins(include)
    root, accepted = _folders(out, baselines)
    sides = resolve(base, root, accepted), resolve(candidate, root, accepted)
    flags = _given(margin=margin, models=model) | {"allow": [change.value for change in Change]}
    stores = [one.store for one in sides if one.store] + [Store(root)]
    text = gating.compare(*sides, settings(None, flags), by.value, format == Format.json, include or [], stores)
    if output is None:
        print(text)
    else:
        write_atomically(output, text + "\n")


def gate(
    baseline: Annotated[
        Optional[str], typer.Option("--baseline", help="An accepted baseline, by name or file.")
    ] = None,
    candidate: Annotated[
        str, typer.Option("--candidate", help="A run, latest, a results folder, or a baseline.")
    ] = "latest",
    margin: Margin = None,
    ok_margin: Annotated[
        Optional[float],
        typer.Option("--ok-margin", help="OK: the drop is surely below this.", show_default="0.03"),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 3 where something stays inconclusive.")] = False,
    allow: Annotated[
        Optional[list[Change]], typer.Option("--allow", help="What may differ from the baseline's. Repeatable.")
    ] = None,
    seeds: Seeds = None,
    mode: Annotated[
        Optional[Mode],
        typer.Option("--mode", help="3, 5 or 10 seeds; pr: what so few seeds cannot tell is advisory."),
    ] = None,
    model: Pairs = None,
    measured: Annotated[
        Optional[list[Path]],
        typer.Option(
            "--measured",
            metavar="FILE",
            help="Judge speed, memory and size by `harness measure BASE CANDIDATE -o FILE`; twice to confirm.",
        ),
    ] = None,
    remeasure: Annotated[
        bool, typer.Option("--remeasure", help="Measure afresh what looks worse, in place of a second file.")
    ] = False,
    speed_margin: Annotated[
        Optional[float], typer.Option("--speed-margin", help="Of time.", show_default="0.05, GPU 0.03")
    ] = None,
    memory_margin: Annotated[
        Optional[float], typer.Option("--memory-margin", help="Of peak memory.", show_default="0.05")
    ] = None,
    size_margin: Annotated[
        Optional[float], typer.Option("--size-margin", help="Of bytes of weights.", show_default="0.01")
    ] = None,
    benchmark_json: Annotated[
        Optional[tuple[Path, Path]],
        typer.Option(
            "--benchmark-json", metavar="BASE CANDIDATE", help="Two runs of pytest-benchmark on one machine; advisory."
        ),
    ] = None,
    config: Config = None,
    as_json: Json = False,
    report: Annotated[Optional[Path], typer.Option("--report", metavar="FILE", help="The JSON, to a file.")] = None,
    junit: Annotated[Optional[Path], typer.Option("--junit", metavar="FILE", help="JUnit XML.")] = None,
    summary: Annotated[
        Optional[Path], typer.Option("--summary", metavar="FILE", help="Markdown for a step summary; appended to.")
    ] = None,
    comment: Annotated[
        Optional[Path], typer.Option("--comment", metavar="FILE", help="Markdown for a pull request's comment.")
    ] = None,
    annotations: Annotated[bool, typer.Option("--annotations", help="GitHub's error and warning lines.")] = False,
    out: Out = None,
    baselines: Baselines = None,
    include: Include = None,
) -> None:
    """Judge a run against a baseline. Exit code, the first that applies: 2: bad usage, 4: the baseline is missing or
    does not fit, 1: regressed, 5: a measurement does not count, 3: inconclusive (with --strict), 0: passed.
    """

    if baseline is None and benchmark_json is None:
        raise HarnessError("nothing to judge by: give --baseline NAME (`harness baseline list`), or --benchmark-json")
    if baseline is None and (measured or remeasure):
        raise HarnessError("--measured: give --baseline too; it says which models are judged")
    if remeasure and not measured:
        raise HarnessError("--remeasure: measure once first, and give the file with --measured")

    load_plugins(include)
    root, accepted = _folders(out, baselines)
    flags = _given(
        margin=margin, ok_margin=ok_margin, seeds=seeds, models=model, mode=mode and mode.value,
        speed_margin=speed_margin, memory_margin=memory_margin, size_margin=size_margin,
    )  # fmt: skip
    flags |= {"strict": True} if strict else {}
    flags |= {"allow": [change.value for change in allow]} if allow else {}
    spec = settings(config, flags)
    outlets = gating.Outlets(as_json, report, junit, summary, comment, annotations)
    benchmarks = None
    if benchmark_json is not None:
        benchmarks = judge_benchmarks(*benchmark_json, spec)
    if baseline is None:
        assert benchmarks is not None
        text, code = gating.publish(benchmarks, [], outlets)
    else:
        base = accepted_baselines.load(accepted_baselines.find(baseline, accepted))
        text, code = gating.gate(
            base,
            resolve(candidate, root, accepted),
            spec,
            outlets,
            include or [],
            [read(path) for path in measured or []],
            _measuring_again(spec, root, include) if remeasure else None,
            benchmarks,
        )
    print(text)
    raise typer.Exit(code)


def _measuring_again(spec: Any, root: Path, include: list[str] | None) -> Any:
    registry = load_registry([Path(path) for path in include or []])
    return lambda one: measure_again(one, spec, registry, Store.open(root), say)


@baseline_app.command("accept")
def accept(
    name: Annotated[str, typer.Option("--name", help="What to call it; one of this name is replaced.")],
    run: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, part of it, or latest.")] = "latest",
    model: Models = None,
    out: Out = None,
    baselines: Baselines = None,
    include: Include = None,
) -> None:
    """Write a run's scores and predictions to baselines/accepted/NAME.json, a file for git."""

    load_plugins(include)
    evidence = only_models(of_run(existing_store(out), run), model or [])
    path = write(evidence, name, _folders(out, baselines)[1])
    say(f"accepted run {evidence.name}: {len(evidence.models)} models on {len(evidence.tasks)} tasks, "
        f"{path.stat().st_size / 1000:.0f} KB")  # fmt: skip
    print(path)


@baseline_app.command("list")
def list_baselines(baselines: Baselines = None, as_json: Json = False) -> None:
    """List the accepted baselines; a damaged one is named as such."""

    text, sound = baselines_text(_folders(None, baselines)[1], as_json)
    print(text)
    if not sound:
        raise typer.Exit(4)


@baseline_app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="A baseline's name or file.")],
    baselines: Baselines = None,
    as_json: Json = False,
) -> None:
    """Show a baseline: its run, data, scores and environment."""

    path = accepted_baselines.find(name, _folders(None, baselines)[1])
    print(baseline_text(accepted_baselines.load(path), as_json))


@baseline_app.command("diff")
def diff(
    one: Annotated[str, typer.Argument(help="A baseline, or whatever `compare` takes.")],
    other: Annotated[str, typer.Argument(help="The same.")],
    out: Out = None,
    baselines: Baselines = None,
    as_json: Json = False,
) -> None:
    """Show what changed from one baseline to another: tasks, data, versions, models, scores, environment."""

    root, accepted = _folders(out, baselines)
    print(diff_text(resolve(one, root, accepted), resolve(other, root, accepted), as_json))


def _folders(out: str | None, baselines: Path | None) -> tuple[Path, Path]:
    return Path(out or "results"), baselines or FOLDER


def _given(**flags: Any) -> dict[str, Any]:
    return {name: value for name, value in flags.items() if value is not None}
