"""Score records as a run writes them, in brief."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from harness.core.facts import facts_from
from harness.core.record_kinds import class_of


def typed(one: Mapping[str, Any]) -> Any:
    """A record as a store reads it."""
    return facts_from(class_of(one.get("kind")), one, "a record")


def all_typed(records: Iterable[Mapping[str, Any]]) -> list[Any]:
    return [typed(one) for one in records]


def suite(*tasks: str, averaged: list[str] | None = None, name: str = "demo", average_by: str = "tasks") -> Any:
    averaged = averaged if averaged is not None else list(tasks)
    return SimpleNamespace(name=name, tasks=list(tasks), averaged=averaged, average_by=average_by)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def score(value: float, half: float = 0.02, **more: Any) -> dict[str, Any]:
    return {
        "value": value, "low": value - half, "high": value + half, "level": 0.95, "n": 100, "method": "by hand",
        "chance": 0.5, "ceiling": None, "bounds": [0, 1], "version": 1, **more,
    }  # fmt: skip


def record(
    task: str,
    model: str,
    value: float | Mapping[str, Any],
    *,
    half: float = 0.02,
    split: str = "dev",
    splits: tuple[str, ...] = ("dev",),
    seed: int = 0,
    data: str = "data",
    created: str = "2026-11-24T10:00:00Z",
    source: str = "folder",
    limit: int | None = None,
    overrides: Mapping[str, Any] | None = None,
    identity: str = "",
    version: int = 1,
    **more: Any,
) -> dict[str, Any]:
    """`value` is that of accuracy, or the scores by metric; `data` names the bytes of the data."""
    overrides = dict(overrides or {})
    scores = dict(value) if isinstance(value, Mapping) else {"accuracy": score(value, half)}
    prints = {name: {"n": 100, "fingerprint": digest(f"{data} {task} {name}")} for name in ("train", *splits)}
    return {
        "schema_version": 1, "kind": "score", "created": created,
        "cell": digest(repr((task, model, split, seed, data, created, limit, overrides, identity, scores))),
        "task": {"name": task, "version": version, "family": "classification"},
        "split": split,
        "model": {
            "name": model, "id": digest(f"{model} {overrides} {identity}"), "learner": "tfidf", "overrides": overrides,
            "parameters": 7,
        },
        "seed": seed, "n": 100,
        "data": {
            "source": source, "location": "/data/demo", "fingerprint": digest(f"{data} {task} train {split}"),
            "limit": limit, "splits": prints, "trained_on": {"train": prints["train"]["fingerprint"]}, "notes": [],
        },
        "scores": scores, "selection": {"mode": "last"},
        **more,
    }  # fmt: skip
