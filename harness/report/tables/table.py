"""What a leaderboard is made of: a table, its columns and rows, and the scores in them."""

from __future__ import annotations

import os.path
from collections.abc import Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from harness.core.hashing import hash_json
from harness.core.portions import portion_name
from harness.core.text import place_name, without_paths
from harness.data.source import FOLDER
from harness.stats.aggregate import Estimate


@dataclass(frozen=True)
class Quantity:
    """A number of a model; with an interval where it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Resource:
    """A column: values by the id of a row's model, those that could be had and may be compared; notes say which and why
    not the others. `digits` are those shown of a value divided by `unit`.
    """

    name: str
    header: str
    values: Mapping[str, Quantity]
    less_is_better: bool
    notes: tuple[str, ...]
    unit: float = 1.0
    digits: int = 0


@dataclass(frozen=True)
class MetricScore:
    """One metric of one split: a model's score over its seeds, and what chance and the noise-free labels score.

    `is_primary`: the task's score rests on it. `is_share`: it lies between 0 (or -1) and 1.
    """

    split: str
    metric: str
    n: int
    estimate: Estimate
    chance: float | None
    ceiling: Estimate | None
    greater_is_better: bool
    is_primary: bool = True
    is_fraction: bool = True


@dataclass(frozen=True)
class Score:
    """A model's score on a task, and its parts. `best` where it is better than all of every other model's interval."""

    estimate: Estimate
    parts: tuple[MetricScore, ...] = ()
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One model: its label in this table, its id, the fewest and most seeds behind a score, its scores by task, its
    average where it has all averaged tasks, what a reader must know of its scores, and what its records say of it.

    `partial` holds what there is of a task that lacks a split or metric other models have: no score to compare.
    """

    label: str
    model: str
    seeds: tuple[int, int]
    scores: Mapping[str, Score]
    partial: Mapping[str, tuple[MetricScore, ...]]
    average: Score | None
    notes: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One task of a table: what all its cells rest on, and what chance and the noise-free labels score. A `scale` of
    100 turns a fraction into per cent where it is shown; what is no share has 1.
    """

    task: str
    version: int
    diagnostic: bool
    greater_is_better: bool
    n: Mapping[str, int]
    fingerprint: str
    metrics: Mapping[str, int]
    chance: float | None
    ceiling: Estimate | None
    scale: int = 100
    primary_metrics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A leaderboard of one suite on one source. `absent` are its tasks without a record here, `unlabelled` those with
    predictions only. The average is over `averaged`, of `of_tasks` tasks the suite averages; `by_examples`: it weighs
    them by their examples. `resources` are columns of speed, memory and size, where they are asked for. `data_notes`
    say of the data what its source does, `machine_notes` where scores of different machines or precisions
    stand side by side.
    """

    suite: str
    source: str
    location: str
    limit: int | None
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    absent: tuple[str, ...]
    unlabelled: tuple[str, ...]
    averaged: tuple[str, ...]
    of_tasks: int
    by_examples: bool = False
    train_fraction: float = 1.0
    k_shot: int | None = None
    chance: float | None = None
    ceiling: Estimate | None = None
    fingerprint: str = ""
    resources: tuple[Resource, ...] = ()
    data_notes: tuple[str, ...] = ()
    machine_notes: tuple[str, ...] = ()

    @property
    def portion(self) -> float | str:
        """Of the training examples, as `DataFacts.portion` has it."""
        return self.train_fraction if self.k_shot is None else portion_name(self.train_fraction, self.k_shot)


def common_location(locations: Set[str]) -> str:
    """The folder that several tasks' folders are in; else the first place, and how many more there are."""
    first, *others = sorted(locations)
    if not others:
        return first
    with suppress(ValueError):  # a mixture of absolute and relative paths
        if shared := os.path.commonpath(locations):
            return shared
    return f"{first} and {len(others)} more"


def shown_location(source: str, location: str) -> str:
    """Where data lies, as it is shared: a folder's last name, what is no path as it is."""
    if source != FOLDER:
        return without_paths(location)
    return " and ".join(place_name(metric_score) for metric_score in location.split(" and "))


def joint_fingerprint(prints: Sequence[str]) -> str:
    return prints[0] if len(prints) == 1 else hash_json(list(prints))
