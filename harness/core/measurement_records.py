"""Models timed side by side: the result of a measuring job, as its file and the record of a measure cell keep it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from harness.core.facts import CellRecord, Facts, shared
from harness.core.source_names import SYNTHETIC


class Standing(Facts):
    """Whether a timing may be judged by, and why not."""

    verdict: Literal["VALID", "IMPRECISE", "INVALID"]
    is_valid: bool = Field(default=False, alias="counts")
    reason: str = ""
    note: str = ""


class RatioFacts(Facts):
    value: float = Field(gt=0)
    low: float
    high: float
    pairs: int = 0
    half_width: float = 0.0


class PercentileFacts(Facts):
    value: float
    high: float | None = None
    n: int = 0


class TimedModel(Facts):
    """A model's calls at a stage. Ratios and a verdict are those of a candidate against the original."""

    seconds: float = Field(gt=0)
    calls: int = 0
    tokens_per_second: float = 0.0
    examples_per_second: float = 0.0
    amount_per_second: float = 0.0
    latency: dict[str, PercentileFacts] = Field(default_factory=dict)
    time_ratio: RatioFacts | None = None
    speed_ratio: RatioFacts | None = None
    verdict: Standing | None = None


class StageFacts(Facts):
    """`a_a` is the original against itself; None where there were too few pairs."""

    verdict: Standing
    a_a: RatioFacts | None = None
    models: dict[str, TimedModel]


class WorkloadFacts(Facts):
    """What was timed: rows of so many tokens, so many items of a modality, or the examples of a task from a source of
    data.
    """

    batch: int | None = None
    length: int | None = None
    items: str = ""
    task: str | None = None
    data: str = SYNTHETIC
    pairs: int = 0
    precise: bool = False
    stages: dict[str, StageFacts]
    joules_per_example: dict[str, float] = Field(default_factory=dict)
    gpu_joules_per_example: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _rows_or_a_task(self) -> WorkloadFacts:
        if self.task is None and not (self.batch and self.length):
            raise ValueError("a workload has rows and tokens, or a task")
        return self


class ProcessMemory(Facts):
    """Bytes of a process."""

    total: int = 0
    anonymous: int = 0
    file: int = 0


class DeviceMemory(Facts):
    """Bytes that torch took of a GPU's memory."""

    peak: int | None = None
    loaded: int | None = None
    reserved: int | None = None


class MemoryFacts(Facts):
    """Of a model at a workload, in a process of its own. `absent` says what could not be read, and why."""

    peak: int | None = None
    load_peak: int | None = None
    loaded: ProcessMemory | None = None
    after: ProcessMemory = shared(ProcessMemory())
    device: DeviceMemory | None = None
    absent: dict[str, str] = Field(default_factory=dict)


class SizeFacts(Facts):
    """Weight files. None: not counted, since a file is in no format that is read here."""

    bytes: int = Field(gt=0)
    gzip_bytes: int | None = None
    parameters: int | None = None
    nonzeros: int | None = None


class FirstCall(Facts):
    cell: str = ""
    seconds: dict[str, float] = Field(default_factory=dict)


class MeasuredModel(Facts):
    folder: str = ""
    fingerprint: str
    cell: str | None = None
    role: Literal["original", "candidate"]
    runtime: str = ""
    device: str = "cpu"
    size: SizeFacts
    load_seconds: float = 0.0
    first_call: FirstCall = shared(FirstCall())
    memory: dict[str, MemoryFacts] = Field(default_factory=dict)


class ProtocolFacts(Facts):
    """How it was measured; see `harness.measurement.request.Request`."""

    threads: int = 1
    device: str = "cpu"
    margin: float | None = None
    budget: float | None = None
    seed: int = 0
    half_width: float | None = None


class MeasurementFacts(CellRecord):
    """The result of a measuring job."""

    verdict: Literal["VALID", "IMPRECISE", "INVALID"]
    is_valid: bool = Field(default=False, alias="counts")
    reasons: dict[str, str] = Field(default_factory=dict)
    models: dict[str, MeasuredModel]
    cells: dict[str, WorkloadFacts]
    absent: dict[str, str] = Field(default_factory=dict)
    protocol: ProtocolFacts = shared(ProtocolFacts())
    samples: dict[str, Any] = Field(default_factory=dict, repr=False)

    @model_validator(mode="after")
    def _one_original(self) -> MeasurementFacts:
        if [model.role for model in self.models.values()].count("original") != 1 or len(self.models) < 2:
            raise ValueError("models: one original and its candidates are expected")
        for name, workload in self.cells.items():
            if any(set(self.models) - set(stage.models) for stage in workload.stages.values()):
                raise ValueError(f"cells.{name}: a model was not timed")
        return self

    @property
    def original(self) -> str:
        """The name of the model that the others are compared with."""
        return next(name for name, model in self.models.items() if model.role == "original")

    @property
    def candidates(self) -> list[str]:
        return [name for name in self.models if name != self.original]


class MeasuredLineage(Facts):
    cell: str | None = None
    finetune: str | None = None


class MeasuredTask(Facts):
    name: str = ""


class MeasureRecord(MeasurementFacts):
    """A measurement as its cell keeps it, without samples."""

    task: MeasuredTask = shared(MeasuredTask())
    model: MeasuredTask = shared(MeasuredTask())
    lineage: dict[str, MeasuredLineage] = Field(default_factory=dict)
