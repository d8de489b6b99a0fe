"""The verbs that judge: `harness compare` and `harness gate`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from harness.cli.opening import folders, load_plugins
from harness.cli.options import Baselines, Include, Json, Out, Plain, show_tables
from harness.cli.spec_options import spec_options
from harness.core.machine.environment import thread_variables
from harness.core.plugins import refusing_exit
from harness.core.registry import load_registry
from harness.core.store import Store, write_atomically
from harness.core.strict_spec import parse
from harness.core.text import say
from harness.gating.benchmarks import judge_benchmarks
from harness.gating.measured import read
from harness.gating.remeasure import measure_again
from harness.gating.run_results import only_tasks
from harness.gating.settings import Change, CompareLaunch, GateLaunch, GateSpec, settings
from harness.gating.sources import accepted_baseline, refuse_another_model, resolve
from harness.report.text import gating


@spec_options(GateSpec, ("margin", "models", "texts"))
@spec_options(CompareLaunch, into="launch")
def compare(
    given: dict[str, Any],
    launch: dict[str, Any],
    base: Annotated[
        str, typer.Argument(help="A run, latest, a results folder, a baseline, or READER:PATH of another tool.")
    ],
    candidate: Annotated[str, typer.Argument(help="The same; what is compared with the base.")],
    out: Out = None,
    baselines: Baselines = None,
    include: Include = None,
    plain: Plain = False,
) -> None:
    """Compare two runs on the same examples: drops with intervals, what could be detected, which examples flipped."""

    how = parse(CompareLaunch, launch, "the command line")
    os.environ.update(thread_variables(1))  # before torch is imported, where layers are compared
    load_plugins(include)
    root, accepted = folders(out, baselines)
    as_json = how.format == "json"
    both = only_tasks(resolve(base, root, accepted), resolve(candidate, root, accepted), how.task)
    flags = {**given, "allow": list(get_args(Change))}
    stores = [results.store for results in both if results.store] + [Store(root)]
    text = gating.compare(*both, settings(None, flags), how.by, as_json, include or [], stores)
    if how.output is None:
        show_tables(text, plain or as_json)
    else:
        write_atomically(how.output, text + "\n")


GATED = (
    "margin", "ok_margin", "strict", "allow", "seeds", "mode", "models", "speed_margin", "memory_margin", "size_margin",
    "texts",
)  # fmt: skip
"""The fields that are flags; margins of single tasks and metrics stand in a file."""


@spec_options(GateSpec, GATED)
@spec_options(GateLaunch, into="launch")
def gate(
    given: dict[str, Any],
    launch: dict[str, Any],
    as_json: Json = False,
    out: Out = None,
    baselines: Baselines = None,
    include: Include = None,
    plain: Plain = False,
) -> None:
    """Judge a run against a baseline. Exit code, the first that applies: 2: bad usage, 4: the baseline is missing or
    does not fit, 1: regressed, 5: a measurement is not valid, 3: inconclusive (with --strict), 0: passed.
    """
    how = parse(GateLaunch, launch, "the command line")
    with refusing_exit("a plug-in or a library"):
        load_plugins(include)
        root, accepted = folders(out, baselines)
        spec = settings(how.config, given)
        gate_formats = gating.ReportFiles(as_json, how.report, how.junit, how.summary, how.comment, how.annotations)
        benchmarks = None
        if how.benchmark_json is not None:
            benchmarks = judge_benchmarks(*how.benchmark_json, spec)
        if how.baseline is None:
            assert benchmarks is not None
            text, commands, code = gating.publish(benchmarks, [], gate_formats)
        else:
            base = accepted_baseline(how.baseline, accepted)
            base, judged = only_tasks(base, resolve(how.candidate, root, accepted), how.task)
            refuse_another_model(base, judged, how.candidate, spec.models)
            text, commands, code = gating.gate(
                base,
                judged,
                spec,
                gate_formats,
                include or [],
                [read(path) for path in how.measured],
                _measuring_again(spec, root, include) if how.remeasure else None,
                benchmarks,
            )
    show_tables(text, plain or as_json, commands)
    raise typer.Exit(code)


def _measuring_again(spec: Any, root: Path, include: list[str] | None) -> Any:
    registry = load_registry(include)
    return lambda measurement: measure_again(measurement, spec, registry, Store.open(root), say)
