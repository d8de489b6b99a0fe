"""What was measured of models, from the records of measure cells: which of several measurements counts for a report."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.core.facts import Environment
from harness.core.machine.environment import machine_fingerprint
from harness.core.measurement_records import MeasureRecord, StageFacts, Standing
from harness.data.modalities import unit_of
from harness.measurement.validity import Validity

VALID = Validity.VALID
OWN_LENGTHS = "task"
"""The workload of a task's own examples, whatever the task."""


@dataclass(frozen=True)
class Setting:
    """What two times must share to be compared: the machine by its fingerprint, threads, workload, stage and the
    type of the device.

    A workload is `8 × 64` (rows × tokens), `8 images`, or `task` for a task's own examples.
    """

    machine: str
    threads: int
    workload: str
    stage: str
    device: str = "cpu"

    @property
    def where(self) -> str:
        """For a reader: `8 × 64`, `8 × 64, decode`, `8 × 64, cuda`."""
        place = "the task's own lengths" if self.workload == OWN_LENGTHS else self.workload
        parts = [
            place,
            *([] if self.stage == "forward" else [self.stage]),
            *([] if self.device == "cpu" else [self.device]),
        ]
        return ", ".join(parts)


@dataclass(frozen=True)
class Ratio:
    """How many times as fast as its original a model is, with its 95 % interval, from so many pairs."""

    value: float
    low: float
    high: float
    pairs: int


@dataclass(frozen=True)
class Memory:
    """Bytes of a process above what imports took: the `peak` while calling; what of it after calling is of no file
    (RssAnon) and of mapped files; what stays after loading. None: unknown. `gpu` is the peak that torch has taken of a
    GPU's memory, None of a model on the CPU.
    """

    peak: int | None
    anonymous: int
    file: int
    loaded: int
    gpu: int | None = None

    @property
    def most(self) -> int | None:
        """The peak where the model is: that of the GPU's memory, else of the process's."""
        return self.peak if self.gpu is None else self.gpu


@dataclass(frozen=True)
class Measured:
    """A model at a setting, in a measurement beside its original. `speed` is None of the original itself.

    `read_per_second` counts what is read in `unit`: tokens, images, seconds of audio.
    `model` and `original` are the cells that made them. `verdict` is that of the ratio; of an original the best of its
    candidates', since its own times are as good as those of any.
    """

    setting: Setting
    processor: str
    model: str
    original: str
    is_original: bool
    examples_per_second: float
    read_per_second: float
    unit: str
    speed: Ratio | None
    verdict: str
    reason: str
    a_a: float | None
    memory: Memory | None
    memory_absent: str
    record: str
    created: str

    @property
    def is_valid(self) -> bool:
        return self.verdict == VALID


def read(records: Iterable[MeasureRecord]) -> list[Measured]:
    """All that records of measure cells say of models that lie in a store, the newest first."""
    measured = []
    for record in sorted(records, key=lambda record: (record.created, record.cell), reverse=True):
        cells = {name: model.cell for name, model in record.models.items()}
        original = cells[record.original]
        if original is None:
            continue
        for workload, cell in record.cells.items():
            for stage, timed in cell.stages.items():
                measured += [
                    _measured(record, workload, stage, timed, name, key, original)
                    for name, key in cells.items()
                    if key is not None
                ]
    return measured


def _measured(
    record: MeasureRecord, workload: str, stage: str, timed: StageFacts, name: str, key: str, original: str
) -> Measured:
    timing = timed.models[name]
    ratio = timing.speed_ratio
    verdict = timing.verdict or _best([model.verdict for model in timed.models.values() if model.verdict is not None])
    environment = record.environment
    memory, absent = _memory(record, name, workload)
    is_task = record.cells[workload].task is not None
    items = record.cells[workload].items
    return Measured(
        setting=Setting(
            machine_fingerprint(environment.as_json()),
            environment.threads,
            OWN_LENGTHS if is_task else workload,
            stage,
            record.models[name].device.partition(":")[0],
        ),
        processor=processor_of(environment, record.models[name].device),
        model=key,
        original=original,
        is_original=record.models[name].role == "original",
        examples_per_second=timing.examples_per_second,
        read_per_second=timing.amount_per_second if items else timing.tokens_per_second,
        unit=unit_of(items),
        speed=Ratio(ratio.value, ratio.low, ratio.high, ratio.pairs) if ratio else None,
        verdict=verdict.verdict,
        reason=verdict.reason,
        a_a=timed.a_a.value if timed.a_a else None,
        memory=memory,
        memory_absent=absent,
        record=record.cell,
        created=record.created,
    )


def processor_of(environment: Environment, device: str) -> str:
    """The model of the CPU or, of a model on a GPU, of the first GPU."""
    gpus = environment.gpus
    return str(gpus[0].name if gpus and device.startswith("cuda") else environment.cpu.model)


def _best(verdicts: Sequence[Standing]) -> Standing:
    return min(verdicts, key=lambda verdict: list(Validity).index(Validity(verdict.verdict)))


def _memory(record: MeasureRecord, name: str, workload: str) -> tuple[Memory | None, str]:
    """None with the reason where memory was not read."""
    cell_memory = record.models[name].memory.get(workload)
    if cell_memory is None:
        return None, record.absent.get("memory", "memory was not read")
    if cell_memory.loaded is None:
        return None, "; ".join(cell_memory.absent.values())
    after = cell_memory.after
    gpu = cell_memory.device.peak if cell_memory.device else None
    memory = Memory(cell_memory.peak, after.anonymous, after.file, cell_memory.loaded.total, gpu)
    return memory, cell_memory.absent.get("peak", "")


def of_pair(measurements: Sequence[Measured], model: str, original: str) -> list[tuple[Measured, Measured]]:
    """The original and a model made of it, a pair for each setting: the newest measurement that counts or, where none
    does, the newest.
    """
    pairs: dict[Setting, tuple[Measured, Measured]] = {}
    for measured in measurements:
        if measured.is_original or (measured.model, measured.original) != (model, original):
            continue
        known = pairs.get(measured.setting)
        if known is None or (measured.is_valid and not known[1].is_valid):
            pairs[measured.setting] = base_of(measurements, measured), measured
    return list(pairs.values())


def base_of(measurements: Sequence[Measured], measured: Measured) -> Measured:
    """The original in the measurement of a model."""
    return next(
        base
        for base in measurements
        if base.is_original and (base.record, base.setting) == (measured.record, measured.setting)
    )
