"""Robustness from Python: what finished models lose under attacks and noise."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.api.runs import ModelLike, TaskLike, evaluate
from harness.core.noise import NOISES
from harness.core.store import Store
from harness.report.robustness import RobustnessReport, read_robustness

USUAL_ATTACK = "deepwordbug"
"""What needs nothing but the model."""


def robustness(
    model: ModelLike | Sequence[ModelLike],
    *,
    task: TaskLike | Sequence[TaskLike] = (),
    suite: str | Sequence[str] = (),
    data: str | os.PathLike[str] | None = None,
    attack: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] = (),
    noise: str | Sequence[str] = (),
    checks: str | Sequence[str] = (),
    out: str | os.PathLike[str] = "results",
    executor: str = "inline",
    include: Sequence[str | os.PathLike[str]] = (),
    **settings: Any,
) -> RobustnessReport:
    """Score finished models under attacks and noise.

    Args:
        model: As `evaluate` takes them; objects made by `wrap` too.
        task: As `run` takes it.
        suite: As `run` takes it.
        data: As `run` takes it.
        attack: Attacks, `"textfooler:queries=200"` or `{"textfooler": {"queries": 200}}`.
        noise: `typos`, `case`, `punctuation`.
        checks: Tests of behaviour: `sentiment`, or YAML files.
        out: The results folder.
        executor: As `run` takes it; objects need `inline`.
        include: Files and folders of further specs and plug-ins.
        **settings: As `run` takes them.

    Returns:
        What each model loses, and the examples that fool it. Without `attack`, `noise` and `checks`: under
        `deepwordbug` and all noise.

    Raises:
        HarnessError: as `evaluate` does, or an unknown attack or noise.
    """
    asked = with_usual_perturbations({"attack": _listed(attack), "noise": _listed(noise), "checks": _listed(checks)})
    result = evaluate(
        model, task=task, suite=suite, data=data, out=out, executor=executor, include=include, **asked, **settings
    )
    return read_robustness(Store(Path(result.root)), result)


def with_usual_perturbations(given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run with the usual attack and all noise where they name neither."""
    if any(given.get(name) for name in ("attack", "noise", "checks")) or any(
        "+" in name for name in given.get("task", ())
    ):
        return dict(given)
    return {**given, "attack": [USUAL_ATTACK], "noise": list(NOISES)}


def _listed(value: Any) -> list[Any]:
    return [value] if isinstance(value, str | Mapping) else list(value)
