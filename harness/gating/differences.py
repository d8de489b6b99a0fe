"""What two runs were made with and what of it differs: a reader of a verdict asks that first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.text import clipped
from harness.gating.run_results import RunResults, Scored

MOST = 8
"""Differences that are told of a model."""
BY_HASH = {
    "tokenizer": "its tokenizer",
    "weights": "the weights it starts from",
    "trained_on": "the data it learned from",
}


def differences(base: RunResults, candidate: RunResults, pairs: Mapping[str, str]) -> tuple[str, ...]:
    """A line for each model whose settings differ, and one for the environment.

    Args:
        base: A run or a baseline.
        candidate: What is judged.
        pairs: The candidate's model for each of the base's; by equal names where it is empty.

    Returns:
        The lines; none where nothing is known to differ.
    """
    names = pairs or {model: model for model in base.models if model in candidate.models}
    lines: dict[str, None] = {}
    for mine, theirs in names.items():
        for key, before in base.scored.items():
            after = candidate.scored.get((theirs, *key[1:]))
            if key[0] == mine and after is not None and (changes := _changes(before, after)):
                more = [f"and {len(changes) - MOST} more"] if len(changes) > MOST else []
                lines[f"{mine}: {', '.join([*changes[:MOST], *more])}"] = None
    environment = _environment(base.environment, candidate.environment)
    return (*lines, *([f"environment: {', '.join(environment)}"] if environment else []))


def contaminated(*runs: RunResults) -> list[str]:
    """A line for each model, task and split whose examples stand in part in what the model learned from."""
    lines = [
        f"{key[0]} of {run.name} on {key[1]}: {scored.contamination}"
        for run in runs
        for key, scored in run.scored.items()
        if scored.contamination
    ]
    return list(dict.fromkeys(lines))


def partly_random(*runs: RunResults) -> list[str]:
    """A line for each model whose weights did not fit its config, so that some of them were random."""
    lines = [
        f"{key[0]} of {run.name}: its weights did not fit its config, and are random there: {scored.partial_weights}"
        for run in runs
        for key, scored in run.scored.items()
        if scored.partial_weights
    ]
    return list(dict.fromkeys(lines))


def _changes(before: Scored, after: Scored) -> list[str]:
    changes = [
        f"{name} {_shown(before.settings.get(name))} → {_shown(after.settings.get(name))}"
        for name in sorted({*before.settings, *after.settings})
        if before.settings and after.settings and before.settings.get(name) != after.settings.get(name)
    ]
    if before.learner != after.learner:
        changes.append(f"learner {before.learner} → {after.learner}")
    if before.parameters and after.parameters and before.parameters != after.parameters:
        changes.append(f"parameters {before.parameters:,} → {after.parameters:,}")
    known = [name for name in BY_HASH if name != "tokenizer" or (before.tokenizer and after.tokenizer)]
    return changes + [BY_HASH[name] for name in known if getattr(before, name) != getattr(after, name)]


def _environment(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Versions of packages, and the machine."""
    olds, news = (dict(environment.get("versions") or {}) for environment in (before, after))
    changes = [f"{name} {olds[name]} → {news[name]}" for name in sorted({*olds} & {*news}) if olds[name] != news[name]]
    for name in ("cpu", "threads"):
        old, new = (environment.get(name) for environment in (before, after))
        if old and new and old != new:
            changes.append("another CPU" if name == "cpu" else f"threads {old} → {new}")
    return changes


def _shown(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else clipped(str(value), 60)
