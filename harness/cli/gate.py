"""The verbs that judge: `harness compare` and `harness gate`."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional, get_args

import typer

from harness.cli.options import Baselines, Include, Json, Out, Plain, folders, load_plugins, show_tables
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.machine.environment import thread_variables
from harness.core.plugins import refusing_exit
from harness.core.registry import load_registry
from harness.core.store import Store, write_atomically
from harness.core.text import say
from harness.gating import baseline as accepted_baselines
from harness.gating.benchmarks import judge_benchmarks
from harness.gating.measured import read
from harness.gating.remeasure import measure_again
from harness.gating.settings import Change, GateSpec, settings
from harness.gating.sources import refuse_another_model, resolve
from harness.report.text import gating


class By(StrEnum):
    task = "task"
    slice = "slice"
    layer = "layer"


class Format(StrEnum):
    markdown = "markdown"
    json = "json"


Config = Annotated[
    Optional[Path],
    typer.Option("--config", metavar="FILE", help="A YAML file: margins of tasks and metrics, these flags; flags win."),
]


@spec_options(GateSpec, ("margin", "models", "texts"))
def compare(
    given: dict[str, Any],
    base: Annotated[str, typer.Argument(help="A run, latest, a results folder, or a baseline's name or file.")],
    candidate: Annotated[str, typer.Argument(help="The same; what is compared with the base.")],
    by: Annotated[By, typer.Option("--by", help="Whole tasks, or also their slices, or the models' layers.")] = By.task,
    format: Annotated[Format, typer.Option("--format", "-f", help="How to print it.")] = Format.markdown,
    output: Annotated[Optional[Path], typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")] = None,
    out: Out = None,
    baselines: Baselines = None,
    include: Include = None,
    plain: Plain = False,
) -> None:
    """Compare two runs on the same examples: drops with intervals, what could be detected, which examples flipped."""

    os.environ.update(thread_variables(1))  # before torch is imported, where layers are compared

    load_plugins(include)
    root, accepted = folders(out, baselines)
    sides = resolve(base, root, accepted), resolve(candidate, root, accepted)
    flags = {**given, "allow": list(get_args(Change))}
    stores = [results.store for results in sides if results.store] + [Store(root)]
    text = gating.compare(*sides, settings(None, flags), by.value, format == Format.json, include or [], stores)
    if output is None:
        show_tables(text, plain or format == Format.json)
    else:
        write_atomically(output, text + "\n")


GATED = (
    "margin", "ok_margin", "strict", "allow", "seeds", "mode", "models", "speed_margin", "memory_margin", "size_margin",
    "texts",
)  # fmt: skip
"""The fields that are flags; margins of single tasks and metrics stand in a file."""


@spec_options(GateSpec, GATED)
def gate(
    given: dict[str, Any],
    baseline: Annotated[
        Optional[str], typer.Option("--baseline", help="An accepted baseline, by name or file.")
    ] = None,
    candidate: Annotated[
        str, typer.Option("--candidate", help="A run, latest, a results folder, or a baseline.")
    ] = "latest",
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
    plain: Plain = False,
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

    with refusing_exit("a plug-in or a library"):
        load_plugins(include)
        root, accepted = folders(out, baselines)
        spec = settings(config, given)
        gate_formats = gating.ReportFiles(as_json, report, junit, summary, comment, annotations)
        benchmarks = None
        if benchmark_json is not None:
            benchmarks = judge_benchmarks(*benchmark_json, spec)
        if baseline is None:
            assert benchmarks is not None
            text, commands, code = gating.publish(benchmarks, [], gate_formats)
        else:
            base = accepted_baselines.load(accepted_baselines.find(baseline, accepted))
            side = resolve(candidate, root, accepted)
            refuse_another_model(base, side, candidate, spec.models)
            text, commands, code = gating.gate(
                base,
                side,
                spec,
                gate_formats,
                include or [],
                [read(path) for path in measured or []],
                _measuring_again(spec, root, include) if remeasure else None,
                benchmarks,
            )
    show_tables(text, plain or as_json, commands)
    raise typer.Exit(code)


def _measuring_again(spec: Any, root: Path, include: list[str] | None) -> Any:
    registry = load_registry(include)
    return lambda measurement: measure_again(measurement, spec, registry, Store.open(root), say)
