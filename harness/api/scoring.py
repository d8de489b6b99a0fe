"""A model's score that a test asserts something of."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.api.runs import ModelLike, TaskLike, evaluate, run
from harness.core.errors import HarnessError, InconclusiveError, RegressionError
from harness.core.machine.results_place import ACCEPTED
from harness.core.reading import expanded, is_file, is_folder
from harness.core.store import Store
from harness.core.strict_spec import parse
from harness.gating.engine import judge
from harness.gating.run_results import RunResults, of_run
from harness.gating.settings import GateSpec
from harness.gating.sources import resolve
from harness.report.outcomes import GateReport
from harness.report.results import RunResult
from harness.report.text.gate_formats import row_message


@dataclass(frozen=True)
class ScoredModel:
    """A model that was scored on a task.

    Attributes:
        result: The run.
        baselines: The folder in which accepted baselines are looked up.
        strict: What stays inconclusive fails.
        settings: Settings of `GateSpec` that each comparison begins with.
    """

    result: RunResult
    baselines: Path = ACCEPTED
    strict: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The mean over the splits, primary metrics and seeds."""
        return fmean(score.value for score in self.result.scores)

    def compared_with(self, base: str | RunResult, **settings: Any) -> GateReport:
        """The verdict on this model beside a baseline.

        Args:
            base: An accepted baseline by name or file, a run by its result or name, a results folder, or results of
                another tool, `READER:PATH`. Of several tasks that of this score counts.
            **settings: Settings of `GateSpec`: `margin`, `ok_margin`, `models`, `allow`, …

        Returns:
            The report.

        Raises:
            HarnessError: no such baseline or run, or settings out of range.
        """
        candidate = of_run(Store(self.result.root), self.result.name)
        spec = parse(GateSpec, {"strict": self.strict, **self.settings, **settings}, "assert_not_worse_than")
        report, _ = judge(_of_tasks(self._results_of(base), candidate.tasks), candidate, spec)
        return GateReport(report, ())

    def assert_not_worse_than(self, base: str | RunResult, **settings: Any) -> GateReport:
        """Assert that the model is not worse than a baseline, by the gate's verdict.

        Args:
            base: As `compared_with` takes it.
            **settings: As `compared_with` takes them.

        Returns:
            The report, where nothing regressed.

        Raises:
            RegressionError: the model is worse, a seed failed, or the two cannot be compared; an AssertionError.
            InconclusiveError: neither a regression nor its absence can be shown; an AssertionError, which the pytest
                plug-in turns into a skip, unless it is strict.
            HarnessError: as `compared_with` does.
        """
        __tracebackhide__ = True
        report = self.compared_with(base, **settings)
        rows = report.report.rows
        if report.report.reasons:
            raise RegressionError(f"not comparable: {'; '.join(report.report.reasons)}")
        if regressed := [row for row in rows if row.verdict == "REGRESSED"]:
            raise RegressionError("; ".join(f"{row.task}: {row_message(row)}" for row in regressed))
        if open_rows := [row for row in rows if row.verdict == "INCONCLUSIVE" and not row.advisory]:
            raise InconclusiveError("; ".join(f"{row.task}: {row_message(row)}" for row in open_rows))
        return report

    def _results_of(self, base: str | RunResult) -> RunResults:
        if isinstance(base, RunResult):
            return of_run(Store(base.root), base.name)
        return resolve(base, self.result.root, self.baselines)


def score(
    task: TaskLike,
    model: ModelLike,
    *,
    train: bool | None = None,
    seeds: int = 1,
    out: str | os.PathLike[str] = "results",
    baselines: str | os.PathLike[str] = ACCEPTED,
    strict: bool = False,
    include: Sequence[str | os.PathLike[str]] = (),
    judged_by: Mapping[str, Any] | None = None,
    **settings: Any,
) -> ScoredModel:
    """Score a model on a task; only what is missing in the results folder is computed.

    Args:
        task: As `run` takes it.
        model: A model spec, which is trained; a folder or an `.onnx` file, which is scored as it is; or an object made
            by `wrap`.
        train: Train a folder as well, or score a model spec without training it.
        seeds: How many seeds it is trained with.
        out: The results folder.
        baselines: The folder of accepted baselines.
        strict: What stays inconclusive fails in the pytest plug-in as well.
        include: Files and folders of further specs and plug-ins.
        judged_by: Settings of `GateSpec` that each comparison begins with.
        **settings: As `run` takes them: `data`, `limit`, …

    Returns:
        The score.

    Raises:
        HarnessError: as `run` does, or the model could not be scored.
    """
    path = expanded(os.fspath(model)) if isinstance(model, str | os.PathLike) else None
    is_finished = path is not None and (is_folder(path) or (path.suffix == ".onnx" and is_file(path)))
    if train if train is not None else not is_finished:
        result = run(task=task, models=model, seeds=seeds, out=out, include=include, **settings)
    else:
        result = evaluate(model, task=task, out=out, include=include, **settings)
    if result.failures:
        failure = result.failures[0]
        raise HarnessError(f"{failure.model} on {failure.task} could not be scored: {failure.cause}")
    return ScoredModel(result, Path(baselines), strict, dict(judged_by or {}))


def _of_tasks(results: RunResults, tasks: Sequence[str]) -> RunResults:
    """Without tasks that were not scored; as it is where it has none of them, so that the gate says so."""
    if results.tool or not set(tasks) & set(results.tasks):
        return results
    return replace(
        results,
        task_splits={key: part for key, part in results.task_splits.items() if key[0] in tasks},
        scored={key: scored for key, scored in results.scored.items() if key[1] in tasks},
        failures={key: cause for key, cause in results.failures.items() if key[1] in tasks},
    )
