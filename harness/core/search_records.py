"""The record of a search for training values."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.cell_records import ModelRecord, TaskFacts
from harness.core.facts import Facts, shared

COMPLETE, PRUNED, FAILED, CUT = "complete", "pruned", "failed", "cut"
"""What becomes of a trial; one is cut where the budget ends before it is trained further."""


class RungFacts(Facts):
    """A trial trained for a fraction of its epochs: its cells, and what it scores on the part that chooses."""

    fraction: float
    value: float | None = None
    finetune: str = ""
    score: str = ""


class TrialFacts(Facts):
    """A trial: its values, and how far it came. `value` is that of its last rung; None of one that failed."""

    number: int
    values: dict[str, Any] = Field(default_factory=dict)
    state: str = COMPLETE
    value: float | None = None
    rungs: list[RungFacts] = Field(default_factory=list)
    cause: str = ""


class ExpectedFacts(Facts):
    """The expected best value of so many trials; see `harness.stats.expected_best`."""

    trials: int
    value: float
    deviation: float


class SearchedData(Facts):
    """What chose: a part of the training examples, one of so many; the scored split is none of it."""

    source: str = ""
    location: str = ""
    limit: int | None = None
    split: str = ""
    parts: int = 0
    fingerprint: str = ""


class TuneRecord(ModelRecord):
    """A search.

    Attributes:
        metrics: What the value is the mean of.
        greater_is_better: Of the value.
        space: Ranges and choices by training value.
        settings: How the search went: sampler, batch, rungs, keep, seed.
        asked: Trials that were asked for.
        ended: `trials`, or `budget` where time ran out before.
        best: The number of the trial that was chosen.
        winner: Its model spec.
        expected: By number of trials.
    """

    task: TaskFacts
    metrics: list[str] = Field(default_factory=list)
    greater_is_better: bool = True
    data: SearchedData = shared(SearchedData())
    space: dict[str, Any] = Field(default_factory=dict)
    settings: dict[str, Any] = Field(default_factory=dict)
    asked: int = 0
    ended: str = "trials"
    trials: list[TrialFacts] = Field(default_factory=list)
    best: int = 0
    winner: dict[str, Any] = Field(default_factory=dict)
    expected: list[ExpectedFacts] = Field(default_factory=list)
