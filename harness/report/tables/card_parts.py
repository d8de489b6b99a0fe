"""The parts of a compression card beside quality: calibration, speed and memory, and what they say of savings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

from harness.report.tables import measured
from harness.report.tables.comparable import Record
from harness.report.tables.measured import Measured, Memory, Ratio
from harness.report.tables.pairs import Pairs, whole
from harness.stats import calibration
from harness.stats.aggregate import Estimate, over_seeds

if TYPE_CHECKING:
    import numpy as np

LoadLogits = Callable[[Record], "tuple[Sequence[str], np.ndarray, np.ndarray] | None"]
"""The ids, labels (n,) and logits (n, k) stored with a score record; None where it has no classes or no logits."""
SAVED = 0.98
"""Memory above this fraction of the original's is called no saving: processes differ by that much from start to
start.
"""


@dataclass(frozen=True)
class CalibrationChange:
    """Expected calibration error, 0…1, without any temperature, of n examples: means over seeds and splits before and
    after, and the change with its paired interval.
    """

    n: int
    before: float
    after: float
    change: Estimate


@dataclass(frozen=True)
class Cost:
    """A compressed model beside its original at one setting, machine and threads included. `memory` is that of the
    original and of the model, None where it was not read, and then `memory_absent` says why. `read_per_second` counts
    in `unit`: tokens, images, seconds of audio.
    """

    setting: measured.Setting
    processor: str
    examples_per_second: tuple[float, float]
    read_per_second: tuple[float, float]
    unit: str
    speed: Ratio | None
    verdict: str
    reason: str
    a_a: float | None
    memory: tuple[Memory, Memory] | None
    memory_absent: str
    record: str


def calibration_change(pairs: Pairs, load: LoadLogits) -> CalibrationChange | str:
    """Of the records of a model and its original; the reason where there is none."""
    seeds, splits = whole(pairs)
    errors: list[tuple[float, float]] = []
    changes: dict[int, list[calibration.Measured]] = {}
    n = 0
    for split in splits:
        labels: Sequence[int] | np.ndarray = ()
        for seed in seeds:
            before, after = (load(record) for record in pairs[seed, split])
            if before is None or after is None:
                return "no logits of classes with labels"
            labels = before[1]
            errors.append((calibration.ece(before[2], before[1]), calibration.ece(after[2], before[1])))
            changes.setdefault(seed, []).append(calibration.ece_change(before[2], after[2], before[1]))
        n += len(labels)
    over_splits = [
        (
            fmean(change.value for change in by_seed),
            fmean(change.low for change in by_seed),
            fmean(change.high for change in by_seed),
        )
        for by_seed in changes.values()
    ]
    first, second = (fmean(values) for values in zip(*errors, strict=True))
    return CalibrationChange(n, first, second, over_seeds(over_splits, (-1.0, 1.0)))


def costs(pairs: Pairs, measurements: Sequence[Measured]) -> tuple[Cost, ...]:
    """What was measured of a compressed model against its original, by setting; one seed's models stand for all."""
    by_setting: dict[measured.Setting, Cost] = {}
    for _, (_, record) in sorted(pairs.items()):
        lineage = record.lineage.first
        for base, compressed in measured.of_pair(measurements, lineage.compress or "", lineage.finetune or ""):
            known = by_setting.get(compressed.setting)
            if known is None or (compressed.is_valid and known.verdict != measured.VALID):
                by_setting[compressed.setting] = _cost(base, compressed)
    return tuple(by_setting.values())


def _cost(base: Measured, compressed: Measured) -> Cost:
    memory = (base.memory, compressed.memory) if base.memory and compressed.memory else None
    return Cost(
        setting=compressed.setting,
        processor=compressed.processor,
        examples_per_second=(base.examples_per_second, compressed.examples_per_second),
        read_per_second=(base.read_per_second, compressed.read_per_second),
        unit=compressed.unit,
        speed=compressed.speed,
        verdict=compressed.verdict,
        reason=compressed.reason,
        a_a=compressed.a_a,
        memory=memory,
        memory_absent=base.memory_absent or compressed.memory_absent,
        record=compressed.record,
    )


def absences(
    known_costs: Sequence[Cost], calibrated: CalibrationChange | str, others: Mapping[str, str]
) -> dict[str, str]:
    """What a card lacks, with the reason."""
    absent = dict(others)
    if isinstance(calibrated, str):
        absent["calibration"] = calibrated
    if not known_costs:
        return absent | dict.fromkeys(("speed", "memory"), "not measured; `harness run --measure` does it")
    if all(cost.speed is None for cost in known_costs):
        absent["speed"] = known_costs[0].reason
    if all(cost.memory is None for cost in known_costs):
        absent["memory"] = known_costs[0].memory_absent
    return absent


def savings(known_costs: Sequence[Cost]) -> list[str]:
    """Sentences on what was measured and not saved."""
    sentences = []
    for cost in known_costs:
        where = cost.setting.where
        if cost.speed is not None and cost.verdict == measured.VALID and cost.speed.low <= 1:
            times = f"{cost.speed.low:.2f} to {cost.speed.high:.2f}× as fast at {where}"
            sentences.append(f"It {'is slower' if cost.speed.high < 1 else 'saves no time'}: {times}.")
        if cost.memory is not None:
            before, after = (memory.most for memory in cost.memory)
            if before is not None and after is not None and after > SAVED * before:
                sentences.append(f"It saves no memory: its peak is {after / before:.2f}× the original's at {where}.")
    return sentences
