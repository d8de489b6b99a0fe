"""Verdicts from Python: compare, gate."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.machine.results_place import ACCEPTED, results_folder
from harness.core.registry import load_registry, scoped_plugins
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.gating.engine import judge, judge_all
from harness.gating.flips import Flips, flips_of, texts_of
from harness.gating.pairing import Pair
from harness.gating.run_results import RunResults, of_run, only_tasks
from harness.gating.settings import GateSpec
from harness.gating.sources import refuse_another_model, resolve
from harness.report.outcomes import Comparison, GateReport
from harness.report.results import RunResult


@scoped_plugins()
def compare(
    base: str | RunResult,
    candidate: str | RunResult,
    *,
    out: str | os.PathLike[str] = "results",
    baselines: str | os.PathLike[str] = ACCEPTED,
    include: Sequence[str | os.PathLike[str]] = (),
    task: str | Sequence[str] = (),
    **settings: Any,
) -> Comparison:
    """Compare two runs on the same examples.

    Args:
        base: A run, by its result, name or `latest`; a results folder; an accepted baseline's name or file; or results
            of another tool, `READER:PATH` (`csv:mine.csv`, `lm_eval:output/`).
        candidate: The same.
        out: The results folder in which names are looked up.
        baselines: The folder of accepted baselines.
        include: Files and folders of further specs and plug-ins.
        task: The tasks that are judged, all where none is named.
        **settings: Settings of `GateSpec`: `margin`, `models`, …

    Returns:
        Drops with intervals, what could be detected, and which examples flipped.

    Raises:
        HarnessError: no such run, or nothing that both have.
    """
    before, after, spec = _results_of_both(base, candidate, out, baselines, include, task, settings)
    report, pairs = judge_all(before, after, spec)
    return Comparison(report, _flips(before, after, pairs, include))


@scoped_plugins()
def gate(
    baseline: str | RunResult,
    candidate: str | RunResult,
    *,
    out: str | os.PathLike[str] = "results",
    baselines: str | os.PathLike[str] = ACCEPTED,
    include: Sequence[str | os.PathLike[str]] = (),
    task: str | Sequence[str] = (),
    **settings: Any,
) -> GateReport:
    """Judge a run against an accepted baseline or another run.

    Args:
        baseline: As `compare` takes its base.
        candidate: As `compare` takes it.
        out: The results folder in which names are looked up.
        baselines: The folder of accepted baselines.
        include: Files and folders of further specs and plug-ins.
        task: The tasks that are judged, all where none is named.
        **settings: Settings of `GateSpec`: `margin`, `ok_margin`, `strict`, `models`, `seeds`, …

    Returns:
        The verdicts. What cannot be compared does not raise: `exit_code` is 4 then.

    Raises:
        HarnessError: no such run or baseline, or settings out of range.
    """
    accepted, judged, spec = _results_of_both(baseline, candidate, out, baselines, include, task, settings)
    if isinstance(candidate, str):
        refuse_another_model(accepted, judged, candidate, spec.models)
    report, pairs = judge(accepted, judged, spec)
    return GateReport(report, _flips(accepted, judged, pairs, include))


def _flips(
    base: RunResults, candidate: RunResults, pairs: Sequence[Pair], include: Sequence[str | os.PathLike[str]]
) -> tuple[Flips, ...]:
    texts = texts_of(base, candidate, include)
    return tuple(flip for pair in pairs for flip in flips_of(pair, texts))


def _results_of_both(
    base: str | RunResult,
    candidate: str | RunResult,
    out: str | os.PathLike[str],
    baselines: str | os.PathLike[str],
    include: Sequence[str | os.PathLike[str]],
    task: str | Sequence[str],
    settings: Mapping[str, Any],
) -> tuple[RunResults, RunResults, GateSpec]:
    load_registry(include)
    both = [_results_of(run, out, baselines) for run in (base, candidate)]
    before, after = only_tasks(both[0], both[1], [task] if isinstance(task, str) else task)
    return before, after, parse(GateSpec, dict(settings), "gate")


def _results_of(run: str | RunResult, out: str | os.PathLike[str], baselines: str | os.PathLike[str]) -> RunResults:
    if isinstance(run, RunResult):
        return of_run(Store(run.root), run.name)
    return resolve(os.fspath(run), results_folder(out), Path(baselines))
