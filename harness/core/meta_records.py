"""The record of a cell that meta-trains a checkpoint."""

from __future__ import annotations

from pydantic import Field

from harness.core.cell_records import Lineage, ModelRecord
from harness.core.facts import Facts, shared


class TrainedTask(Facts):
    """A task that was trained on: the fingerprint of its training split, its examples and its classes."""

    name: str
    version: int = 1
    source: str = ""
    fingerprint: str = ""
    n: int = 0
    classes: int = 0


class MetaFacts(Facts):
    """How a checkpoint was meta-trained. `tokens` are those of all episodes, as often as they were drawn."""

    steps: int = 0
    episodes: int = 0
    tokens: int = 0
    loss: float | None = None
    device: str | None = None
    resumed_from: int = 0


class MetaRecord(ModelRecord):
    """A checkpoint made of several tasks. `dropped` names the weights that were trained and are no part of it, such as
    output layers; `generator`: a network that makes an output layer of examples lies beside it.
    """

    method: str = ""
    tasks: list[TrainedTask] = Field(default_factory=list)
    dropped: list[str] = Field(default_factory=list)
    generator: bool = False
    fit: MetaFacts = shared(MetaFacts())
    lineage: Lineage = shared(Lineage())
