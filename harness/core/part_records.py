"""The record of a part of an attack."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.cell_records import Lineage, ModelRecord, ReadingFacts, TaskFacts
from harness.core.facts import shared

OUTCOMES = "outcomes.json"
"""Beside the record: what became of each example."""


class AttackRecord(ModelRecord):
    """A part of the examples of a split under attack, in `outcomes.json` beside it: so many from the `first` on, and
    how many of them fool the model. `decoding`, `read` and `cautions` are of the examples as they were.
    """

    task: TaskFacts
    split: str
    n: int
    first: int
    succeeded: int
    decoding: dict[str, Any] = Field(default_factory=dict)
    read: ReadingFacts | None = None
    cautions: list[str] = Field(default_factory=list)
    lineage: Lineage = shared(Lineage())
