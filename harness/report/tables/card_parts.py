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
    original and of the model, None where it was not read, and then `memory_absent` says why.
    """

    setting: measured.Setting
    processor: str
    examples_per_second: tuple[float, float]
    tokens_per_second: tuple[float, float]
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
        (fmean(one.value for one in own), fmean(one.low for one in own), fmean(one.high for one in own))
        for own in changes.values()
    ]
    first, second = (fmean(side) for side in zip(*errors, strict=True))
    return CalibrationChange(n, first, second, over_seeds(over_splits, (-1.0, 1.0)))


def costs(pairs: Pairs, found: Sequence[Measured]) -> tuple[Cost, ...]:
    """What was measured of a compressed model against its original, by setting; one seed's models stand for all."""
    by_setting: dict[measured.Setting, Cost] = {}
    for _, (_, record) in sorted(pairs.items()):
        lineage = record.lineage
        for base, own in measured.of_pair(found, lineage.compress or "", lineage.finetune or ""):
            known = by_setting.get(own.setting)
            if known is None or (own.counts and known.verdict != measured.VALID):
                by_setting[own.setting] = _cost(base, own)
    return tuple(by_setting.values())


def _cost(base: Measured, own: Measured) -> Cost:
    memory = (base.memory, own.memory) if base.memory and own.memory else None
    return Cost(
        setting=own.setting,
        processor=own.processor,
        examples_per_second=(base.examples_per_second, own.examples_per_second),
        tokens_per_second=(base.tokens_per_second, own.tokens_per_second),
        speed=own.speed,
        verdict=own.verdict,
        reason=own.reason,
        a_a=own.a_a,
        memory=memory,
        memory_absent=base.memory_absent or own.memory_absent,
        record=own.record,
    )


def absences(found: Sequence[Cost], calibrated: CalibrationChange | str, others: Mapping[str, str]) -> dict[str, str]:
    """What a card lacks, with the reason."""
    absent = dict(others)
    if isinstance(calibrated, str):
        absent["calibration"] = calibrated
    if not found:
        return absent | dict.fromkeys(("speed", "memory"), "not measured; `harness run --measure` does it")
    if all(one.speed is None for one in found):
        absent["speed"] = found[0].reason
    if all(one.memory is None for one in found):
        absent["memory"] = found[0].memory_absent
    return absent


def savings(found: Sequence[Cost]) -> list[str]:
    """Sentences on what was measured and not saved."""
    said = []
    for one in found:
        where = one.setting.where
        if one.speed is not None and one.verdict == measured.VALID and one.speed.low <= 1:
            times = f"{one.speed.low:.2f} to {one.speed.high:.2f}× as fast at {where}"
            said.append(f"It {'is slower' if one.speed.high < 1 else 'saves no time'}: {times}.")
        if one.memory is not None:
            before, after = (side.most for side in one.memory)
            if before is not None and after is not None and after > SAVED * before:
                said.append(f"It saves no memory: its peak is {after / before:.2f}× the original's at {where}.")
    return said
