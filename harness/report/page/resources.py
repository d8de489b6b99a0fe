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
        tuple(one for one in measured if one.model in makers),
    )


def _counts(record: ModelRecord) -> tuple[int | None, int | None]:
    if isinstance(record, CompressRecord):
        after = record.compression.after
        return after.parameters, after.nonzero
    return record.model.parameters, None


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def facts_of(own: Resources) -> tuple[Fact, ...]:
    """Every measurement of a model, whether or not it may stand in a column."""
    facts = []
    for one in own.measured:
        threads = f"{one.setting.threads} thread{'s' if one.setting.threads > 1 else ''}"
        where = f"{one.setting.where}, {threads}, {one.processor}, measurement {short(one.record)}"
        value = f"{rate(one.examples_per_second)} examples/s, {rate(one.tokens_per_second)} tokens/s"
        if one.speed is not None and one.counts:
            value += f", {one.speed.value:.2f}× [{one.speed.low:.2f}, {one.speed.high:.2f}] of its original"
        facts.append(Fact("speed", where, value, "; ".join(part for part in (one.verdict, one.reason) if part)))
        if one.memory is not None:
            peak = "" if one.memory.peak is None else f"peak {megabytes(one.memory.peak)} MB, "
            gpu = "" if one.memory.gpu is None else f", peak {megabytes(one.memory.gpu)} MB of the GPU's"
            facts.append(Fact("memory", where, f"{peak}{megabytes(one.memory.loaded)} MB after loading{gpu}"))
    return tuple(facts)
