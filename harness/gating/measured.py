"""Speed, memory and size beside quality: what `harness measure` found, judged by margins.

Base and candidate were measured side by side in one job; only their ratios count, never times of different jobs. What
looks worse is a suspect until a fresh measurement finds it as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from harness.core import reading
from harness.core.errors import HarnessError
from harness.core.facts import first_problem
from harness.core.measurement_records import MeasurementFacts, MemoryFacts, StageFacts
from harness.core.reading import ReadingError
from harness.core.source_names import canonical_record
from harness.gating.pairing import Pair
from harness.gating.settings import GateSpec
from harness.measurement.protocol import HALF_WIDTH

Kind = Literal["speed", "memory", "size", "benchmark"]
Verdict = Literal["REGRESSED", "OK", "INCONCLUSIVE", "INVALID"]
UNCONFIRMED = "once only; measure again, or give a second file"


@dataclass(frozen=True)
class Measured:
    """A verdict on one number of a model: seconds of a call, bytes of peak memory, bytes of weight files.

    `ratio` is candidate over base, above 1 for worse; `low` and `high` are its 95 % interval where it has one. It is of
    the last measurement that counts, of `measurements` in all.
    """

    model: str
    kind: Kind
    where: str
    base: float
    candidate: float
    ratio: float
    low: float | None
    high: float | None
    margin: float
    measurements: int
    verdict: Verdict
    reason: str
    improved: bool = False


@dataclass(frozen=True)
class Measurement:
    """The result of a measuring job, and what to call it."""

    name: str
    content: MeasurementFacts

    @property
    def original(self) -> str:
        return self.content.original

    @property
    def candidates(self) -> list[str]:
        return self.content.candidates

    def fingerprint(self, model: str) -> str:
        return self.content.models[model].fingerprint


def read(path: Path) -> Measurement:
    """What `harness measure -o FILE` wrote. Raises HarnessError where it is something else."""
    content = read_json(path, "--measured")
    try:
        facts = MeasurementFacts.model_validate(canonical_record(content) if isinstance(content, dict) else content)
    except ValidationError as error:
        raise HarnessError(
            f"--measured {path}: no measurement; `harness measure A B -o FILE` writes one ({first_problem(error)})"
        ) from None
    return Measurement(str(path), facts)


def read_json(path: Path, flag: str, finite: bool = True) -> Any:
    """What a JSON file given with a flag holds. Raises HarnessError where it is not there, or not whole."""
    try:
        return reading.read_json(path, finite=finite)
    except ReadingError as error:
        what = "" if error.missing else "not a whole JSON file: "
        raise HarnessError(f"{flag} {path}: {what}{error.reason}") from None


@dataclass(frozen=True)
class _Number:
    """One number of a measurement: what it is of, and what it says by itself."""

    candidate: str
    cell: str
    kind: Kind
    where: str
    values: tuple[float, float]
    ratio: float
    low: float | None
    high: float | None
    margin: float
    state: Literal["worse", "fine", "near", "invalid"]
    reason: str


def judge_measured(
    measurements: Sequence[Measurement], pairs: Sequence[Pair], spec: GateSpec
) -> tuple[list[Measured], list[str], list[str]]:
    """Verdicts, reasons why something does not fit, and notes.

    Speed is worse where the 95 % interval of the ratio lies above 1 and the ratio is at least 1 + margin; memory and
    size where the ratio is more than 1 + margin. Worse time or memory is REGRESSED only where every measurement that
    counts finds it, two at least; bytes of files are no matter of chance. INVALID is what is not valid: the original
    against itself came out beyond half the margin, or the interval is too wide to tell.
    """
    _refuse_twice(measurements)
    reasons: list[str] = []
    notes: list[str] = []
    by_model: dict[tuple[str, str, str], list[_Number]] = {}
    covered: set[str] = set()
    for measurement in measurements:
        known, strange = _identified(measurement, pairs)
        (notes if known else reasons).extend(strange)
        covered |= {pair.model for pair in known.values()}
        for number in _numbers(measurement, list(known), spec):
            pair = known[number.candidate]
            by_model.setdefault((f"{pair.model} on {pair.task}", number.kind, number.where), []).append(number)
    rows = [_judged(model, numbers) for (model, _, _), numbers in by_model.items()]
    if by_model:
        notes += [f"not measured: {pair.model}" for pair in pairs if pair.model not in covered]
    notes += [
        f"{measurement.name} has no {cell}: {reason}"
        for measurement in measurements
        for cell, reason in measurement.content.absent.items()
        if cell not in ("energy", "memory device")
    ]
    return rows, list(dict.fromkeys(reasons)), list(dict.fromkeys(notes))


def suspects(measurement: Measurement, spec: GateSpec) -> tuple[list[str], list[str]]:
    """The candidates and the cells at which one of them looks worse in time or memory, or was not timed validly."""
    numbers = [
        number
        for number in _numbers(measurement, measurement.candidates, spec)
        if number.state in ("worse", "invalid") and number.kind in ("speed", "memory")
    ]
    return list(dict.fromkeys(number.candidate for number in numbers)), list(
        dict.fromkeys(number.cell for number in numbers)
    )


def _refuse_twice(measurements: Sequence[Measurement]) -> None:
    seen: set[str] = set()
    for measurement in measurements:
        content = measurement.content.as_json()
        identity = json.dumps([content.get("created"), content["cells"]], sort_keys=True)
        if identity in seen:
            raise HarnessError(
                f"--measured {measurement.name}: the same measurement twice; the second must be a fresh one"
            )
        seen.add(identity)


def _identified(measurement: Measurement, pairs: Sequence[Pair]) -> tuple[dict[str, Pair], list[str]]:
    """The pairs that measured candidates are of, by their names, and why others are not those that are judged."""
    original = measurement.fingerprint(measurement.original)
    ours = [pair for pair in pairs if original in _files(pair, 0)]
    if not ours:
        old = any(not _files(pair, 0) for pair in pairs)
        why = (
            "the baseline does not say which files its model has; accept it again"
            if old
            else "its files are not those of any model of the base"
        )
        return {}, [f"{measurement.name}: the original {measurement.original} is not what is judged: {why}"]
    known: dict[str, Pair] = {}
    reasons = []
    for name in measurement.candidates:
        pair = next((pair for pair in ours if measurement.fingerprint(name) in _files(pair, 1)), None)
        if pair is None:
            tasks = ", ".join(dict.fromkeys(pair.task for pair in ours))
            reasons.append(
                f"{measurement.name}: {name} is not what is judged: its files are not those of the candidate's "
                f"{ours[0].candidate_model} on {tasks}"
            )
        else:
            known[name] = pair
    return known, reasons


def _files(pair: Pair, place: int) -> set[str]:
    return {files for both in pair.scored.values() for scored in both if (files := scored[place].files)}


def _numbers(measurement: Measurement, candidates: Sequence[str], spec: GateSpec) -> Iterator[_Number]:
    models, base = measurement.content.models, measurement.original
    for name in candidates:
        for cell_name, cell in measurement.content.cells.items():
            for stage_name, stage in cell.stages.items():
                where = cell_name if stage_name == "forward" else f"{cell_name}, {stage_name}"
                device = models[base].device
                where += "" if device == "cpu" else f" on {device}"
                yield _speed(name, cell_name, where, stage, base, spec.speed_margin_on(device))
        for cell_name in measurement.content.cells:
            memories = [models[model].memory.get(cell_name, MemoryFacts()) for model in (base, name)]
            for place, read_peak in (("", _peak), (" on the device", _device_peak)):
                values = [peak for memory in memories if (peak := read_peak(memory))]
                if len(values) == 2:
                    yield _bytes(name, cell_name, "memory", f"{cell_name}{place}", values, spec.memory_margin)
        sizes = [float(models[model].size.bytes) for model in (base, name)]
        yield _bytes(name, "", "size", "weight files", sizes, spec.size_margin)


def _peak(memory: MemoryFacts) -> int | None:
    return memory.peak


def _device_peak(memory: MemoryFacts) -> int | None:
    return memory.device.peak if memory.device else None


def _speed(name: str, cell: str, where: str, stage: StageFacts, base: str, margin: float) -> _Number:
    mine = stage.models[name]
    verdict = mine.verdict or stage.verdict
    values = stage.models[base].seconds, mine.seconds
    ratio = mine.time_ratio
    if ratio is None:
        return _Number(
            name, cell, "speed", where, values, values[1] / values[0], None, None, margin, "invalid", verdict.reason
        )
    value, low, high = ratio.value, ratio.low, ratio.high
    state: Literal["worse", "fine", "near", "invalid"]
    if verdict.verdict == "INVALID":
        state, reason = "invalid", verdict.reason
    elif stage.a_a is None:
        state, reason = "invalid", "the original was not timed against itself"
    elif (off := abs(stage.a_a.value - 1)) > margin / 2:
        state, reason = "invalid", f"the original against itself is off by {100 * off:.1f} %, more than half the margin"
    elif low > 1 and value >= 1 + margin:
        state, reason = "worse", f"slower by {100 * (value - 1):.1f} %"
    elif high < 1 + margin:
        state, reason = "fine", "faster, significantly" if high < 1 else "surely within the margin"
    elif ratio.half_width > HALF_WIDTH:
        state = "invalid"
        reason = f"too imprecise to tell: ±{100 * ratio.half_width:.1f} % after {ratio.pairs} pairs"
    else:
        state, reason = "near", "neither surely within the margin nor beyond it"
    return _Number(name, cell, "speed", where, values, value, low, high, margin, state, reason)


def _bytes(name: str, cell: str, kind: Kind, where: str, values: Sequence[float], margin: float) -> _Number:
    ratio = values[1] / values[0]
    state: Literal["worse", "fine"] = "worse" if ratio > 1 + margin else "fine"
    more = f"{100 * abs(ratio - 1):.1f} % {'more' if ratio > 1 else 'less'}"
    return _Number(name, cell, kind, where, (values[0], values[1]), ratio, None, None, margin, state, more)


def _judged(model: str, numbers: Sequence[_Number]) -> Measured:
    """Of one number in all measurements of it."""
    counting = [number for number in numbers if number.state != "invalid"]
    worse = [number for number in counting if number.state == "worse"]
    last = counting[-1] if counting else numbers[-1]
    verdict: Verdict
    if not counting:
        verdict, reason = "INVALID", last.reason
    elif not worse:
        near = next((number for number in counting if number.state == "near"), None)
        verdict, reason = ("INCONCLUSIVE", near.reason) if near and last is near else ("OK", last.reason)
    elif last.kind == "size":
        verdict, reason = "REGRESSED", last.reason
    elif len(worse) == len(counting) and len(counting) > 1:
        verdict, reason = "REGRESSED", f"{last.reason}; in {len(counting)} measurements"
    elif len(worse) == len(counting) and len(numbers) > 1:
        reasons = [number.reason for number in numbers if number.state == "invalid"]
        verdict, reason = "INVALID", f"{last.reason}, and the other measurement is not valid: {reasons[0]}"
    elif len(worse) == len(counting):
        verdict, reason = "INCONCLUSIVE", f"{last.reason}, {UNCONFIRMED}"
    else:
        how_often = f"in {len(worse)} of {len(counting)} measurements"
        verdict, reason = ("INCONCLUSIVE" if last.state != "fine" else "OK"), f"{worse[0].reason} {how_often} only"
    return Measured(
        model=model,
        kind=last.kind,
        where=last.where,
        base=last.values[0],
        candidate=last.values[1],
        ratio=last.ratio,
        low=last.low,
        high=last.high,
        margin=last.margin,
        measurements=len(numbers),
        verdict=verdict,
        reason=reason,
        improved=last.high is not None and last.high < 1,
    )
