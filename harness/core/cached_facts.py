"""Facts that a store keeps because finding them takes long, and the check that a kept one is what it should be."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from harness.core.cache_folder import cache_folder
from harness.core.checked import keep_checked, read_checked
from harness.core.errors import DamagedFileError, HarnessError
from harness.core.facts import Facts

Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
"""SHA-256 in hex."""


class SplitCounts(Facts):
    """A split of a task: rows, hash, labels or none, words, rows that differ. `clean`: the hash without noise.
    `classes`: the rows of each class, by its id. `draws`: the published draws of few examples that it holds.
    """

    n: int
    fingerprint: Hash
    labelled: bool
    words: int
    distinct: int
    clean: str | None = None
    classes: dict[str, int] = Field(default_factory=dict)
    draws: list[str] = Field(default_factory=list)


class SplitSizes(Facts):
    """How much of a split there is to read and to write, for estimates."""

    examples: int
    inputs: list[float]
    answer: float = 0.0


class KnownData(Facts):
    """What a plan knows of a task's data."""

    source: str
    location: str
    labels: list[str]
    notes: list[str]
    splits: dict[str, SplitCounts]
    stands_in: dict[str, str]
    in_train: dict[str, int]
    dropped: dict[str, list[int]]
    sizes: dict[str, SplitSizes]


class KnownCorpus(Facts):
    """What a plan knows of a corpus."""

    source: str
    location: str
    documents: int
    bytes: int
    held_out: int
    fingerprint: Hash


class KnownProblem(Facts):
    """What is wrong with a config; None where nothing is."""

    problem: str | None


class KnownArchitecture(Facts):
    architecture: str


class KnownOverlap(Facts):
    """The examples of a split that stand in a corpus, by id, and what was counted of the others."""

    dirty: list[str]
    exact: int
    not_judged: int
    common: int


class KnownCost(Facts):
    """What a cell took, beside the work it was estimated at: its two kinds of FLOPs and its seconds."""

    work: list[float] = Field(min_length=3, max_length=3)
    cpu_seconds: float


class KnownP(Facts):
    """The p of a test; None where it could not be made."""

    p: float | None


class KnownDifference(Facts):
    """How much two models differ, see `harness.stats.ranking.Difference`; None where it could not be tested."""

    difference: dict[str, Any] | None


def known_on_machine(key: str, find: Callable[[], Any], kind: Any) -> Any:
    """A fact that holds for all stores of a machine, found and kept where it is not there yet.

    Args:
        key: What the fact depends on.
        find: Finds it, as JSON has it.
        kind: What it is.

    Returns:
        The fact.
    """
    path = cache_folder() / "facts" / f"{key}.json"
    with contextlib.suppress(HarnessError):
        if (known := read_fact(path, kind)) is not None:
            return known
    value = find()
    keep_checked(path, {"value": value})
    return value


def read_fact(path: Path, kind: Any) -> Any | None:
    """What a file keeps, or None: one that is missing, damaged, or not of its kind counts as none."""
    try:
        value = read_checked(path).get("value") if path.exists() else None
    except DamagedFileError:
        return None
    return value if value is not None and is_of(kind, value) else None


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def is_of(kind: Any, value: Any) -> bool:
    """Whether what was read from JSON has the shape of a kind: a type or a class."""
    try:
        _adapter(kind).validate_json(json.dumps(value), strict=True)
    except (ValidationError, ValueError):
        return False
    return True
