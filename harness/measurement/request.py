"""What is measured against what, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.measurement import protocol
from harness.measurement.series import BASE, SECOND
from harness.measurement.workloads import Workload


@dataclass(frozen=True)
class Model:
    """A model that is measured: how it is called, its folder, the hash of its files, and the cell that made it where it
    lies in a store.
    """

    name: str
    folder: Path
    fingerprint: str
    cell: str | None = None


@dataclass(frozen=True)
class Request:
    """What is measured against what, and how. `budget` is in seconds, None for no limit; `precision` is the half-width
    of an interval that is narrow enough; `margin` None is that of the device (`protocol.MARGINS`). `device` is `cpu`,
    `cuda`, or `auto`: a GPU where there is one and all models are served there. Without `allow_short` a budget in which
    no workload gets its pairs is refused.
    """

    base: Model
    candidates: Sequence[Model]
    cells: Sequence[Workload]
    threads: int = 1
    margin: float | None = None
    precision: float = protocol.HALF_WIDTH
    budget: float | None = None
    seed: int = 0
    memory: bool = True
    include: Sequence[str] = ()
    allow_short: bool = True
    device: str = "auto"

    def variants(self) -> dict[str, Model]:
        return {BASE: self.base, SECOND: self.base, **{model.name: model for model in self.candidates}}
