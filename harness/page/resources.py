"""Size, speed and memory of the models of a table: from the records that made them, and from measurements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from statistics import fmean
from typing import Any

from harness.hashing import hash_json, short
from harness.stats.aggregate import Estimate

Record = Mapping[str, Any]
WEIGHTS = (".safetensors", ".onnx", ".onnx_data", ".bin", ".pt2")
STAGES = {"forward": "", "prefill": ", to the first token", "decode": ", after the first token"}


@dataclass(frozen=True)
class Size:
    """Of a model's files, means over its tasks and seeds. Bytes are of weights, of all files where it has none."""

    bytes: float | None = None
    parameters: float | None = None
    nonzero: float | None = None


@dataclass(frozen=True)
class Speed:
    """What a measurement says of a model: in which job, on which work, and against which original."""

    job: str
    where: str
    seconds: float
    examples_per_second: float
    tokens_per_second: float
    original: str
    is_original: bool
    ratio: Estimate | None
    verdict: str
    counts: bool
    note: str
    latency: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Memory:
    """Bytes of a fresh process less what importing took: at its peak, and after loading."""

    job: str
    where: str
    peak: int | None
    loaded: int | None


@dataclass(frozen=True)
class Measured:
    """All measurements of one model, the newest first."""

    speeds: tuple[Speed, ...] = ()
    memories: tuple[Memory, ...] = ()


def size_of(makers: Iterable[Record]) -> Size:
    """The size of a model from the records of the cells that made it, one a task and seed."""
    found = [_size(record) for record in makers]

    def mean(values: Iterable[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return fmean(known) if known else None

    return Size(
        mean(one.bytes for one in found), mean(one.parameters for one in found), mean(one.nonzero for one in found)
    )


def _size(record: Record) -> Size:
    if "compression" in record:
        after = record["compression"]["after"]
        return Size(after["bytes"], after["parameters"], after["nonzero"])
    files = {name: facts["bytes"] for name, facts in record.get("files", {}).items() if name.startswith("model/")}
    weights = [size for name, size in files.items() if name.endswith(WEIGHTS)]
    return Size(sum(weights or files.values()) if files else None, record["model"].get("parameters"))


def fingerprint_of(record: Record) -> str:
    """The hash by which measurements name a model's folder, from the record of the cell that holds it."""
    files = {PurePosixPath(name): facts["sha256"] for name, facts in record.get("files", {}).items()}
    own = sorted(name for name in files if name.parent == PurePosixPath("model"))
    return hash_json([(name.name, files[name]) for name in own])


def measured(records: Sequence[Record]) -> dict[str, Measured]:
    """Measurements by the fingerprints of the models they are of."""
    speeds: dict[str, list[Speed]] = {}
    memories: dict[str, list[Memory]] = {}
    for record in sorted(records, key=lambda one: (one["created"], one["cell"]), reverse=True):
        models = record.get("models", {})
        threads = record.get("protocol", {}).get("threads")
        on = f", {threads} thread{'s' if threads > 1 else ''}" if threads else ""
        for name, model in models.items():
            print_of = model["fingerprint"]
            for cell_name, cell in record.get("cells", {}).items():
                where = (cell_name if cell_name.startswith("task ") else f"batch {cell_name}") + on
                for stage_name, stage in cell["stages"].items():
                    if name in stage["models"]:
                        at = where + STAGES.get(stage_name, f", {stage_name}")
                        speeds.setdefault(print_of, []).append(_speed(record, name, at, stage))
            for cell_name, memory in model.get("memory", {}).items():
                where = cell_name if cell_name.startswith("task ") else f"batch {cell_name}"
                found = Memory(short(record["cell"]), where, memory.get("peak"), memory.get("loaded", {}).get("total"))
                memories.setdefault(print_of, []).append(found)
    return {one: Measured(tuple(speeds.get(one, ())), tuple(memories.get(one, ()))) for one in speeds.keys() | memories}


def _speed(record: Record, name: str, where: str, stage: Mapping[str, Any]) -> Speed:
    one = stage["models"][name]
    original = next((label for label, model in record["models"].items() if model["role"] == "original"), "")
    ratio = one.get("speed_ratio")
    verdict = _verdict(stage, name, name == original)
    return Speed(
        job=short(record["cell"]),
        where=where,
        seconds=one["seconds"],
        examples_per_second=one["examples_per_second"],
        tokens_per_second=one["tokens_per_second"],
        original=original,
        is_original=name == original,
        ratio=Estimate(ratio["value"], ratio["low"], ratio["high"]) if ratio else None,
        verdict=verdict["verdict"],
        counts=_counts(verdict),
        note=verdict.get("reason") or verdict.get("note") or "",
        latency={key: found["value"] for key, found in one.get("latency", {}).items()},
    )


def _verdict(stage: Mapping[str, Any], name: str, is_original: bool) -> Mapping[str, Any]:
    """A candidate's own verdict where it has one, else the stage's; the original's time counts with any of them."""
    own = [one["verdict"] for one in stage["models"].values() if "verdict" in one]
    if is_original:
        return next(filter(_counts, own), stage["verdict"])
    return stage["models"][name].get("verdict", stage["verdict"])


def _counts(verdict: Mapping[str, Any]) -> bool:
    return bool(verdict.get("counts", verdict["verdict"] == "VALID"))


def common_work(by_row: Mapping[str, Measured]) -> tuple[str, str] | None:
    """The job and work most rows were validly timed in: times of different jobs do not compare."""
    return _most_common(((speed.job, speed.where) for speed in one.speeds if speed.counts) for one in by_row.values())


def common_memory(by_row: Mapping[str, Measured]) -> tuple[str, str] | None:
    """The job and work most rows' memory was read at."""
    return _most_common(
        ((memory.job, memory.where) for memory in one.memories if memory.peak is not None) for one in by_row.values()
    )


def _most_common(by_row: Iterable[Iterable[tuple[str, str]]]) -> tuple[str, str] | None:
    counts = Counter(key for keys in by_row for key in dict.fromkeys(keys))
    return counts.most_common(1)[0][0] if counts else None


def merged(several: Iterable[Measured]) -> Measured:
    """Of all the models of a row: one a task and seed."""
    own = list(several)
    return Measured(
        tuple(speed for one in own for speed in one.speeds), tuple(memory for one in own for memory in one.memories)
    )
