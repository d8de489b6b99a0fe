"""What `harness compress` did to one model, and what it found of the layers of one."""

from __future__ import annotations

from pydantic import Field

from harness.core.cell_records import CompressionFacts
from harness.core.facts import Facts, Interval


class CompressedFolder(CompressionFacts):
    """A compression, and the folders it was from and to."""

    model: str = ""
    output: str = ""


class LayerDamage(Facts):
    """What a method costs where it touches these layers alone. None: predictions are numbers."""

    layers: str
    drop: Interval
    agreement: float | None = None


class AnalysedData(Facts):
    """`splits` are numbers of scored examples."""

    source: str
    location: str = ""
    limit: int | None = None
    fingerprint: str = ""
    splits: dict[str, int] = Field(default_factory=dict)


class SensitivityFacts(Facts):
    """What a method costs in each group of a model's layers, and the recipe made of that."""

    model: str = ""
    output: str = ""
    method: str
    task: str
    metrics: list[str]
    data: AnalysedData
    score: float
    scale: float
    layers: list[LayerDamage]
    all: LayerDamage
    rule: str
    skip: list[str] = Field(default_factory=list)
    with_recipe: LayerDamage | None = None
    notes: list[str] = Field(default_factory=list)
    command: str | None = None

    @property
    def examples(self) -> int:
        return sum(self.data.splits.values())
