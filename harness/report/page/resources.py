"""What is known of a row's model beside its scores: parameters from the records that made it, and all measurements."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from harness.core.cell_records import CompressRecord, ModelRecord
from harness.core.hashing import short
from harness.report.page.model import Fact
from harness.report.page.text import megabytes, rate
from harness.report.tables.measured import Measured


@dataclass(frozen=True)
class Resources:
    """Parameters, and those that are not zero, are means over tasks and seeds; `measured` is of all its cells."""

    parameters: float | None = None
    nonzero: float | None = None
    measured: tuple[Measured, ...] = ()


def resources_of(makers: Mapping[str, ModelRecord], measured: Sequence[Measured]) -> Resources:
    """Of a model from the cells that made it, by key, one a task and seed."""
    counts = [_counts(record) for record in makers.values()]
    return Resources(
        _mean(parameters for parameters, _ in counts),
        _mean(nonzero for _, nonzero in counts),
        tuple(measurement for measurement in measured if measurement.model in makers),
    )


def _counts(record: ModelRecord) -> tuple[int | None, int | None]:
    if isinstance(record, CompressRecord):
        after = record.compression.after
        return after.parameters, after.nonzero
    return record.model.parameters, None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def facts_of(resources: Resources) -> tuple[Fact, ...]:
    """Every measurement of a model, whether or not it may stand in a column."""
    facts = []
    for measurement in resources.measured:
        threads = f"{measurement.setting.threads} thread{'s' if measurement.setting.threads > 1 else ''}"
        where = (
            f"{measurement.setting.where}, {threads}, {measurement.processor}, measurement {short(measurement.record)}"
        )
        value = _rates(measurement)
        if measurement.speed is not None and measurement.is_valid:
            speed = measurement.speed
            value += f", {speed.value:.2f}× [{speed.low:.2f}, {speed.high:.2f}] of its original"
        facts.append(
            Fact("speed", where, value, "; ".join(part for part in (measurement.verdict, measurement.reason) if part))
        )
        if measurement.memory is not None:
            peak = "" if measurement.memory.peak is None else f"peak {megabytes(measurement.memory.peak)} MB, "
            gpu = (
                "" if measurement.memory.gpu is None else f", peak {megabytes(measurement.memory.gpu)} MB of the GPU's"
            )
            facts.append(Fact("memory", where, f"{peak}{megabytes(measurement.memory.loaded)} MB after loading{gpu}"))
    return tuple(facts)


def _rates(measurement: Measured) -> str:
    """What is read in a second; of items of which each counts one, such as images, that says it all."""
    read = f"{rate(measurement.read_per_second)} {measurement.unit}/s"
    if measurement.read_per_second == measurement.examples_per_second:
        return read
    return f"{rate(measurement.examples_per_second)} examples/s, {read}"
