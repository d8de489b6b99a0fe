"""The verbs `harness run` and `harness evaluate`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from harness.api.runs import opened, perform_run
from harness.cli.opening import complete_models, complete_suites, complete_tasks
from harness.cli.options import Json, Plain, Quiet, show_tables
from harness.cli.progress import Progress
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError, unknown
from harness.core.launch_specs import RunLaunch
from harness.core.launched import launched
from harness.core.machine.results_place import folder_for
from harness.core.run_spec import SEED_MODES, RunSpec
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.core.strict_yaml import load_mapping
from harness.core.text import emit, say
from harness.pipeline.cells import Event
from harness.pipeline.commands.run import EXECUTORS, Prepared, forecast, prepare
from harness.pipeline.cost import Forecast
from harness.report.results import RunResult
from harness.report.text import plans, runs
from harness.report.text.corpora import corpus_differences
from harness.report.text.diagnostics import other_data_text

Show = Callable[[RunResult], str]
"""What is printed of a run in place of the leaderboard."""
COMPLETIONS = {"suite": complete_suites, "task": complete_tasks, "model": complete_models}
SCORING = (
    "suite", "task", "eval_on", "data", "text_column", "label_column", "delimiter", "test", "limit", "noise", "attack",
    "checks", "label_map", "allow_partial", "verify", "out",
    "executor", "address", "resources", "cluster", "cluster_option", "workers", "threads", "include", "track",
)  # fmt: skip
"""The fields of a run in which nothing is trained."""


@spec_options(RunSpec, completions=COMPLETIONS)
@spec_options(RunLaunch, into="launch")
def run(
    given: dict[str, Any],
    launch: dict[str, Any],
    as_json: Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Train and score models on tasks, then print the leaderboard. Only what is missing is computed."""
    how = parse(RunLaunch, launch, "the command line")
    perform(spec_of(given, how.mode, how.config), how.dry_run, as_json, quiet, plain)


@spec_options(RunSpec, SCORING, completions=COMPLETIONS)
@spec_options(RunLaunch, ("dry_run",), into="launch")
def evaluate(
    given: dict[str, Any],
    launch: dict[str, Any],
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...", help="Finished models: folders, compressed or not, ONNX files, hub ids, endpoints."
        ),
    ],
    as_json: Json = False,
    quiet: Quiet = False,
    plain: Plain = False,
) -> None:
    """Score finished models as they are, without training them. The classes of a classifier are matched to the task's
    by name, or by --label-map; a sentence encoder does similarity by the cosine of its vectors.
    """
    how = parse(RunLaunch, launch, "the command line")
    perform(spec_of({**given, "model": models, "train": False}, None, None), how.dry_run, as_json, quiet, plain)


def spec_of(given: dict[str, Any], mode: str | None, config: Path | None) -> RunSpec:
    """A run from its options and a file of the same.

    Raises:
        HarnessError: an unknown key, a value out of range, or seeds given twice.
    """
    values = {**({} if config is None else load_mapping(config)), **given}
    where = "the command line" if config is None else f"{config} and the command line"
    mode_of_file = values.pop("mode", None)
    chosen = mode or (None if "seeds" in given else mode_of_file)
    if chosen is not None:
        if "seeds" in (given if mode else values):
            raise HarnessError(f"{where}: seeds and mode: give one or the other")
        if chosen not in SEED_MODES:
            raise unknown("mode", str(chosen), SEED_MODES, where)
        values["seeds"] = SEED_MODES[chosen]
    return parse(RunSpec, values, where)


def perform(spec: RunSpec, dry_run: bool, as_json: bool, quiet: bool, plain: bool, show: Show | None = None) -> None:
    """Make a run and print what came of it; with several processes, started by torchrun, the first one does.

    Args:
        spec: The run.
        dry_run: Say what would be computed, and compute nothing.
        as_json: Print JSON.
        quiet: Say nothing but failures.
        plain: Print tables as they are.
        show: What is printed in place of the leaderboard.

    Raises:
        HarnessError: as `perform_run` does, or an executor that starts processes of its own, under torchrun.
        typer.Exit: a cell failed.
    """
    process = launched()
    if process.count == 1 or dry_run:
        if process.is_first:
            _perform_alone(spec, dry_run, as_json, quiet, plain, show)
        return
    if spec.executor not in ("local", "torchrun"):
        raise HarnessError(f"executor {spec.executor} starts processes of its own: call it without torchrun")
    if process.is_first:
        with EXECUTORS.get("torchrun").leading():  # type: ignore[attr-defined]
            together = spec.model_copy(update={"executor": "torchrun"})
            _perform_alone(together, dry_run, as_json, quiet, plain, show)
    else:
        EXECUTORS.get("torchrun").assist(spec.include)  # type: ignore[attr-defined]


def _perform_alone(
    spec: RunSpec, dry_run: bool, as_json: bool, quiet: bool, plain: bool, show: Show | None = None
) -> None:
    if dry_run:
        store, registry = opened(spec)
        prepared = prepare(spec, registry, store, repair=False)
        announce_plan(prepared, spec, quiet, dry_run)
        text = plans.plan_json(spec, prepared, store) if as_json else plans.plan_text(spec, prepared, store)
        show_tables(text, plain or as_json)
        return
    with ExitStack() as stack:
        progress: list[Progress] = []

        def announce(prepared: Prepared) -> None:
            announce_plan(prepared, spec, quiet, dry_run)
            progress.append(stack.enter_context(Progress(prepared.missing, quiet, _forecast(spec, prepared))))

        def listen(event: Event) -> None:
            progress[0](event)

        result = perform_run(spec, listen, announce)
    if show is not None and result.scores:
        text = show(result)
        if as_json or not quiet:
            show_tables(text, plain or as_json)
    elif as_json:
        emit(runs.run_json(Store(result.root), result.name))
    elif not quiet:
        text = result.to_markdown() if result.scores else runs.leaderboard_text(Store(result.root), [result.name])
        show_tables(text, plain)
        if len(spec.corpus) > 1 and result.scores:
            show_tables(corpus_differences(Store(result.root), result.name), plain)
        if spec.eval_on and result.scores and (text := other_data_text(Store(result.root), result.name)):
            show_tables(text, plain)
        say(runs.summary_line(Store(result.root).run(result.name)))
    if not result.ok:
        raise typer.Exit(1)


def _forecast(spec: RunSpec, prepared: Prepared) -> Forecast | None:
    return forecast(spec, prepared.missing, Store(folder_for(spec.out))) if prepared.missing else None


def announce_plan(prepared: Prepared, spec: RunSpec, quiet: bool, dry_run: bool) -> None:
    """What a plan has to say beside its cells."""
    for file in prepared.damaged:
        say(f"damaged: {file}; {'would be' if dry_run else 'it is'} computed again")
    if quiet:
        return
    for absent, reason in prepared.plan.absent.items():
        say(f"absent: {absent}: {reason}")
    for task_name, facts in prepared.plan.data.items():
        for missing, other in facts.stands_in.items():
            say(f"{task_name}: no {missing} split there, so that {other} is scored")
    for (task_name, model_name), reason in prepared.plan.not_applicable.items():
        say(f"not applicable: {model_name} on {task_name}: {reason}")
    for note in prepared.plan.notes:
        say(note)
    if prepared.missing and not dry_run:
        say(
            f"{len(prepared.plan.cells)} cells, {len(prepared.cached)} cached; "
            f"{len(prepared.missing)} to compute in {spec.out}"
        )
