"""Cells and groups of seeds, reported to trackers: each result once, by the process that plans, as it becomes known.

A tracker that fails is left alone for the rest of the run; what was computed stands in the store in any case.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from harness.core.cell_records import (
    CompressRecord,
    ContaminationRecord,
    FitRecord,
    PretrainRecord,
    ScoreFacts,
    ScoreRecord,
)
from harness.core.errors import HarnessError
from harness.core.facts import CellRecord
from harness.core.hashing import hash_json
from harness.core.locks import holding
from harness.core.measurement_records import MeasureRecord
from harness.core.meta_records import MetaRecord
from harness.core.part_records import AttackRecord
from harness.core.plugins import reason_of, refusing_exit
from harness.core.store import Store
from harness.core.text import say
from harness.exchange.trackers.base import TRACKERS, RunWriter, TrackedRun, TrackerPlace
from harness.pipeline.cells import Cell, Event
from harness.stats.aggregate import over_seeds
from harness.training.curves import LOSSES, read_curve

FOLDER = "tracking"
"""What trackers keep on this machine, inside a results folder."""
SUMMARY = "summary"
Curve = Iterable[tuple[int, Mapping[str, float]]]


@dataclass(frozen=True)
class Report:
    """What a tracker gets of a run: its curve, and at the end its results."""

    run: TrackedRun
    values: Mapping[str, float]
    curve: Callable[[], Curve] = field(default=lambda: ())


def check_trackers(asked: Sequence[str]) -> None:
    """Raises HarnessError for a tracker that nobody knows, or that is not installed."""
    for choice in asked:
        name = choice.partition(":")[0]
        tracker = TRACKERS.get(name, "--track")
        try:
            tracker.check()
        except HarnessError as error:
            raise HarnessError(f"--track {name}: {error}") from None


class Tracking:
    """Trackers by what was asked for, `NAME` or `NAME:PLACE`. They are opened when the first run is reported."""

    def __init__(self, asked: Sequence[str], root: Path) -> None:
        self._asked = list(dict.fromkeys(asked))
        self._root = root / FOLDER
        self._places: dict[str, TrackerPlace] = {}

    def __bool__(self) -> bool:
        return bool(self._asked)

    def report(self, report: Report) -> None:
        """Write a whole run to each tracker that has not got it."""
        for choice in list(self._asked):
            self._attempt(choice, partial(self._write, choice, report))

    def live(self, run: TrackedRun) -> LiveRun:
        """A run that is reported while it is computed."""
        return LiveRun(self, run)

    def begin(self, choice: str, run: TrackedRun, from_step: int) -> RunWriter | None:
        """Begin a run at one of the trackers; None where it is there already, or the tracker failed."""

        def begin() -> RunWriter | None:
            place = self._place(choice)
            return None if _mark(place, run).exists() else place.begin(run, from_step)

        return self._attempt(choice, begin)

    def finish(self, choice: str, run: TrackedRun, writer: RunWriter) -> None:
        """End a run that was begun, and note that it is there."""

        def finish() -> None:
            writer.finish()
            _noted(self._place(choice), run)

        self._attempt(choice, finish)

    def log(self, choice: str, writer: RunWriter, values: Mapping[str, float], step: int) -> None:
        self._attempt(choice, lambda: writer.log(values, step))

    @property
    def choices(self) -> list[str]:
        """The trackers that have not failed."""
        return list(self._asked)

    def _place(self, choice: str) -> TrackerPlace:
        if choice not in self._places:
            name, _, place = choice.partition(":")
            self._places[choice] = TRACKERS.get(name).open(place or None, self._root)
        return self._places[choice]

    def _write(self, choice: str, report: Report) -> None:
        place = self._place(choice)
        if _mark(place, report.run).exists():
            return
        place.marks.mkdir(parents=True, exist_ok=True)
        with holding(place.marks / f".{report.run.id[:32]}.lock"):
            if _mark(place, report.run).exists():
                return
            writer, step = place.begin(report.run), 0
            values: Mapping[str, float] = {}
            for step, values in report.curve():
                writer.log(values, step)
            if results := _without(report.values, values):
                writer.log(results, step)
            writer.finish()
            _noted(place, report.run)

    def _attempt(self, choice: str, action: Callable[[], Any]) -> Any:
        """What an action of a tracker gives; None where it fails, and then for good."""
        if choice not in self._asked:
            return None
        name = choice.partition(":")[0]
        try:
            with refusing_exit(f"tracker {name}"), contextlib.redirect_stdout(io.StringIO()):
                return action()
        except Exception as error:
            reason = str(error) if isinstance(error, HarnessError) else reason_of(error)
            say(f"tracker {name}: {reason}; nothing more is reported to it")
            self._asked.remove(choice)
            return None


class LiveRun:
    """A run that is reported while it is computed, by the values of its steps."""

    def __init__(self, tracking: Tracking, run: TrackedRun) -> None:
        self._tracking, self._run = tracking, run
        self._writers: dict[str, RunWriter] | None = None
        self._step = 0
        self._values: Mapping[str, float] = {}

    def __call__(self, step: int, values: Mapping[str, float]) -> None:
        """Values of a step. The first one says where the run goes on that was begun before."""
        if self._writers is None:
            begun = {choice: self._tracking.begin(choice, self._run, step - 1) for choice in self._tracking.choices}
            self._writers = {choice: writer for choice, writer in begun.items() if writer is not None}
        for choice, writer in self._writers.items():
            self._tracking.log(choice, writer, values, step)
        self._values = values if step > self._step else {**self._values, **values}
        self._step = step

    def finish(self, values: Mapping[str, float]) -> None:
        """All is computed, with these results."""
        for choice, writer in (self._writers or {}).items():
            self._tracking.log(choice, writer, _without(values, self._values), self._step)
            self._tracking.finish(choice, self._run, writer)


class RunTracking:
    """Reports the cells of a run as they are done, then those that were there before, then the groups of seeds."""

    def __init__(self, asked: Sequence[str], cells: Sequence[Cell], store: Store) -> None:
        self._tracking = Tracking(asked, store.root)
        self._store = store
        self._cells: dict[str, list[Cell]] = {}
        for cell in cells:
            self._cells.setdefault(cell.key, []).append(cell)

    def note(self, event: Event) -> None:
        """An event of a cell."""
        if self._tracking and event.kind in ("done", "cached"):
            self._report(event.cell.key)

    def finish(self, there: Iterable[str]) -> None:
        """The run is over; the keys of its cells that have a result."""
        if not self._tracking:
            return
        keys = set(there)
        scores: dict[str, list[tuple[Cell, ScoreRecord]]] = {}
        for key, cells in self._cells.items():
            if key not in keys or (record := self._report(key)) is None:
                continue
            if isinstance(record, ScoreRecord):
                for cell in cells:
                    scores.setdefault(_name(cell, of_seed=False), []).append((cell, record))
        for name, seeds in scores.items():
            self._tracking.report(_summary(name, seeds))

    def _report(self, key: str) -> CellRecord | None:
        """The record of a cell that was reported; None of one that cannot be read."""
        try:
            record = self._store.find(key)
        except HarnessError:
            return None
        if record is not None:
            for cell in self._cells[key]:
                self._tracking.report(report_of(cell, record, self._store))
        return record


def report_of(cell: Cell, record: CellRecord, store: Store) -> Report:
    """What trackers get of a cell that has a record."""
    path = store.folder(cell.key) / LOSSES
    return Report(tracked(cell), values_of(record), lambda: read_curve(path) if path.is_file() else ())


def tracked(cell: Cell) -> TrackedRun:
    """A cell as a run of trackers."""
    asked = {"model": cell.model, "seed": cell.seed} | ({"task": cell.task} if cell.task else {})
    config = {**asked, "kind": cell.kind, "cell": cell.key, "spec": public(cell.spec)}
    name = _name(cell)
    group = "/".join(filter(None, (cell.task, cell.model)))
    return TrackedRun(hash_json([cell.key, name]), name, group, cell.kind, config)


def values_of(record: CellRecord) -> dict[str, float]:
    """The results in a record, as numbers by name."""
    values: dict[str, Any] = {"seconds": record.timings.seconds, "cpu_seconds": record.timings.cpu_seconds}
    if isinstance(record, ScoreRecord):
        values |= _of_scores("score", record.scores)
        values |= {"tokens": record.read.tokens if record.read else None}
    elif isinstance(record, PretrainRecord):
        values |= _of_scores("held_out", record.scores) | {"tokens": record.fit.tokens, "loss": record.fit.loss}
        values |= {"parameters": record.model.parameters}
    elif isinstance(record, MetaRecord):
        values |= {"tokens": record.fit.tokens, "loss": record.fit.loss, "parameters": record.model.parameters}
    elif isinstance(record, CompressRecord):
        before, after = record.compression.before, record.compression.after
        values |= {"bytes_before": before.bytes, "bytes": after.bytes, "parameters": after.parameters}
        values |= {
            "nonzero_parameters": after.nonzero,
            "size_ratio": after.bytes / before.bytes if before.bytes else None,
        }
    elif isinstance(record, AttackRecord):
        values |= {"n": record.n, "succeeded": record.succeeded}
    elif isinstance(record, ContaminationRecord):
        values |= {"n": record.n, "dirty": len(record.dirty)}
        for metric, parts in record.by_metric.items():
            values |= {f"score/{metric}/clean": parts.clean, f"score/{metric}/dirty": parts.dirty}
    elif isinstance(record, MeasureRecord):
        values |= _of_measurement(record)
    elif isinstance(record, FitRecord):
        more = record.fit.model_extra or {}
        values |= {"steps": record.fit.steps, "parameters": record.fit.parameters, "examples": record.data.trained_on}
        values |= {"tokens": more.get("tokens"), "training_loss": more.get("loss")}
    return _numbers(values)


def _numbers(values: Mapping[str, Any]) -> dict[str, float]:
    return {
        name: float(value)
        for name, value in values.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }


def _of_scores(prefix: str, scores: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f"{prefix}/{name}{part}": value
        for name, score in scores.items()
        for part, value in (("", score.value), ("/low", score.low), ("/high", score.high), ("/n", score.n))
    }


def _of_measurement(record: MeasureRecord) -> dict[str, Any]:
    """Of each candidate at each workload and stage how fast it is against the original, and how large it is."""
    values: dict[str, Any] = {}
    for workload, facts in record.cells.items():
        for stage, timed in facts.stages.items():
            for name, model in timed.models.items():
                place = f"{workload}/{stage}/{name}"
                values[f"{place}/seconds"] = model.seconds
                if model.speed_ratio is not None:
                    values |= {
                        f"{place}/speed_ratio{part}": value
                        for part, value in (
                            ("", model.speed_ratio.value),
                            ("/low", model.speed_ratio.low),
                            ("/high", model.speed_ratio.high),
                        )
                    }
    for name, measured in record.models.items():
        values[f"bytes/{name}"] = measured.size.bytes
        for workload, memory in measured.memory.items():
            values[f"{workload}/peak_memory/{name}"] = memory.peak
    return values


def _summary(name: str, seeds: Sequence[tuple[Cell, ScoreRecord]]) -> Report:
    """The mean and the standard deviation over seeds, with the interval of the mean."""
    first, record = seeds[0]
    values: dict[str, Any] = {"seeds": len(seeds)}
    for metric, facts in record.scores.items():
        of_seeds: list[ScoreFacts] = [other.scores[metric] for _, other in seeds if metric in other.scores]
        mean = over_seeds([(score.value, score.low, score.high) for score in of_seeds], facts.scale)
        place = f"score/{metric}"
        values |= {f"{place}/mean": mean.value, f"{place}/low": mean.low, f"{place}/high": mean.high}
        values |= {f"{place}/sd": mean.sd, f"{place}/n": facts.n}
    values |= {"seconds/mean": sum(other.timings.seconds for _, other in seeds) / len(seeds)}
    keys = sorted(cell.key for cell, _ in seeds)
    config = {
        "task": first.task, "model": first.model, "split": first.split, "kind": SUMMARY,
        "seeds": sorted(cell.seed for cell, _ in seeds), "cells": keys,
    }  # fmt: skip
    run = TrackedRun(
        hash_json([SUMMARY, name, keys]), f"{name}/{SUMMARY}", f"{first.task}/{first.model}", SUMMARY, config
    )
    return Report(run, _numbers(values))


def _name(cell: Cell, of_seed: bool = True) -> str:
    fold, rows = getattr(cell.job, "fold", None), getattr(cell.job, "rows", None)
    parts = [
        cell.task,
        cell.model,
        "" if cell.fraction == 1 or cell.k_shot is not None else f"fraction-{cell.fraction:g}",
        "" if cell.k_shot is None else f"{cell.k_shot}-a-class",
        f"seed-{cell.seed}" if of_seed else "",
        f"fold-{fold[0] + 1}" if fold else "",
        f"examples-{rows[0] + 1}-{rows[1]}" if rows else "",
        "-".join(filter(None, (cell.kind, cell.split))),
    ]
    return "/".join(filter(None, parts))


def public(value: Any) -> Any:
    """JSON without places of this machine: of an absolute path its last part."""
    if isinstance(value, Mapping):
        return {key: public(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [public(inner) for inner in value]
    if isinstance(value, str) and (value.startswith("~") or Path(value).is_absolute()):
        return Path(value).name
    return value


def _without(results: Mapping[str, float], logged: Mapping[str, float]) -> dict[str, float]:
    """The results that do not stand at the last step already."""
    return {name: value for name, value in results.items() if name not in logged}


def _mark(place: TrackerPlace, run: TrackedRun) -> Path:
    return place.marks / run.id


def _noted(place: TrackerPlace, run: TrackedRun) -> None:
    place.marks.mkdir(parents=True, exist_ok=True)
    _mark(place, run).touch()
