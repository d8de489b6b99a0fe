"""From a leaderboard to a section of the page: columns in groups, whiskers, and what each score rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.hashing import short
from harness.page.model import GROUPS, Cell, Detail, Fact, Head, Line, Reference, Section, Whisker
from harness.page.resources import Measured, Size, common_memory, common_work
from harness.page.text import NONE, counted, interval, megabytes, number, rate, spread
from harness.report import formats
from harness.report.leaderboard import Column, Draft, Part, Row, Score, Table
from harness.stats.aggregate import Estimate

AVERAGE = "average"
SPEED_NOTE = (
    "Speed and memory are of one task's models, {where} (measurement {job}). Times of other measurements stand under a "
    "model's details: they do not compare with these."
)


@dataclass(frozen=True)
class Resources:
    """What is known of a row's model beside its scores."""

    size: Size = field(default_factory=Size)
    measured: Measured = field(default_factory=Measured)


def section(key: str, table: Table, draft: Draft, resources: Mapping[str, Resources]) -> Section:
    """A section of one table; `resources` are by the ids of its models."""
    own = {row.model: resources.get(row.model, Resources()) for row in table.rows}
    measured = {model: one.measured for model, one in own.items()}
    work, memory = common_work(measured), common_memory(measured)
    heads = _heads(table, work, memory)
    lines = tuple(
        _line(f"{key}-{index}", table, row, draft, own[row.model], work, memory) for index, row in enumerate(table.rows)
    )
    notes = list(formats.notes(table))
    if work:
        notes.append(SPEED_NOTE.format(where=work[1], job=work[0]))
    return Section(
        key=key,
        title=formats.title(table),
        is_embedded=table.source == "embedded",
        heads=heads,
        lines=lines,
        references=_references(table, len(heads)),
        notes=tuple(notes),
        measured={
            group: any(
                cell.order is not None
                for line in lines
                for head, cell in zip(heads, line.cells, strict=True)
                if head.group == group
            )
            for group in GROUPS
        },
    )


def _heads(table: Table, work: tuple[str, str] | None, memory: tuple[str, str] | None) -> tuple[Head, ...]:
    heads = []
    if table.averaged:
        partial = "" if len(table.averaged) == table.of_tasks else f"{len(table.averaged)} of "
        small = f"{partial}{counted(table.of_tasks, 'task')}"
        heads.append(Head(AVERAGE, "average", "quality", small, f"Mean of {', '.join(table.averaged)}"))
    for column in table.columns:
        heads.append(
            Head(
                key=column.task,
                title=column.task,
                group="quality",
                small=", ".join(NAMES.get(name, name) for name in column.headline),
                more=_of_column(column),
                marks=f"{'†' if column.diagnostic else ''}{'' if column.greater_is_better else '↓'}",
                lower_is_better=not column.greater_is_better,
            )
        )
    heads += [
        Head("parameters", "params", "size", "millions", "Parameters, mean over tasks and seeds", "", True),
        Head("bytes", "disk", "size", "MB", "10⁶ bytes of weight files, mean over tasks and seeds", "", True),
        Head("throughput", "speed", "speed", "examples/s", work[1] if work else ""),
        Head("ratio", "ratio", "speed", "× original", work[1] if work else ""),
        Head("peak", "memory", "memory", "peak MB", memory[1] if memory else "", "", True),
    ]
    return tuple(heads)


NAMES = {"matthews_correlation": "Matthews", "bits_per_byte": "bits/byte", "byte_perplexity": "perplexity/byte"}


def _of_column(column: Column) -> str:
    metrics = ", ".join(f"{name} (version {version})" for name, version in column.metrics.items())
    n = ", ".join(f"{count:,} examples in {split}" for split, count in column.n.items())
    return f"{column.task} version {column.version}: {metrics}; {n}; data {short(column.fingerprint)}"


def _line(
    key: str,
    table: Table,
    row: Row,
    draft: Draft,
    own: Resources,
    work: tuple[str, str] | None,
    memory: tuple[str, str] | None,
) -> Line:
    axes = _axes(table)
    cells = []
    if table.averaged:
        missing = "" if row.average else "lacks a score that the average is over"
        cells.append(_score(row.average, 100, axes[AVERAGE], table.chance, table.ceiling, missing))
    for column in table.columns:
        missing = "splits that others have are missing" if column.task in row.partial else "no score"
        cells.append(
            _score(row.scores.get(column.task), column.scale, axes[column.task], column.chance, column.ceiling, missing)
        )
    records = draft.models[row.model]
    made = (records[0]["model"]["learner"], records[0].get("runtime"), _seeds(row.seeds))
    kind = ", ".join(part for part in made if part)
    return Line(
        key=key,
        label=row.label,
        kind=kind,
        cells=(*cells, *_resource_cells(own, work, memory)),
        details=_details(row, draft),
        facts=_facts(own),
        notes=row.notes,
    )


def _seeds(seeds: tuple[int, int]) -> str:
    low, high = seeds
    return counted(low, "seed") if low == high else f"{low}–{high} seeds"


def _axes(table: Table) -> dict[str, Callable[[float], float]]:
    """By column, from a score to its place between 0 and 100: the axis holds all intervals, chance and ceiling."""

    def axis(estimates: Sequence[Estimate], *more: float | None) -> Callable[[float], float]:
        ends = [end for one in estimates for end in (one.low, one.high)] + [end for end in more if end is not None]
        low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
        span = (high - low) or 1.0
        return lambda value: round(100 * (value - low) / span, 1)

    def scores(task: str) -> list[Estimate]:
        return [row.scores[task].estimate for row in table.rows if task in row.scores]

    def high(ceiling: Estimate | None) -> float | None:
        return ceiling.value if ceiling else None

    averages = [row.average.estimate for row in table.rows if row.average]
    found = {AVERAGE: axis(averages, table.chance, high(table.ceiling))}
    for column in table.columns:
        found[column.task] = axis(scores(column.task), column.chance, high(column.ceiling))
    return found


def _score(
    score: Score | None,
    scale: int,
    axis: Callable[[float], float],
    chance: float | None,
    ceiling: Estimate | None,
    missing: str,
) -> Cell:
    if score is None:
        return Cell(missing=missing)
    one = score.estimate
    whisker = Whisker(
        axis(one.low),
        axis(one.value),
        axis(one.high),
        axis(chance) if chance is not None else None,
        axis(ceiling.value) if ceiling else None,
    )
    parts = [f"{spread(one, scale)} {interval(one, scale)}"]
    if chance is not None:
        parts.append(f"chance {number(chance, scale)}")
    if ceiling is not None:
        parts.append(f"ceiling {number(ceiling.value, scale)}")
    if score.parts:
        parts.append(f"n {sum({part.split: part.n for part in score.parts}.values()):,}")
    seeds = len(one.per_seed) or len(score.parts[0].estimate.per_seed if score.parts else ())
    if seeds:
        parts.append(counted(seeds, "seed"))
    return Cell(
        number(one.value, scale),
        one.value,
        (one.low, one.high),
        interval(one, scale),
        whisker,
        score.best,
        ", ".join(parts),
    )


def _resource_cells(own: Resources, work: tuple[str, str] | None, memory: tuple[str, str] | None) -> list[Cell]:
    size = own.size
    unknown = Cell(missing="unknown")
    parameters = unknown
    if size.parameters is not None:
        said = f"{size.parameters:,.0f} parameters"
        if size.nonzero is not None:
            said += f", {100 * size.nonzero / max(1.0, size.parameters):.1f} % of them not zero"
        parameters = Cell(_millions(size.parameters), size.parameters, more=said)
    disk = unknown if size.bytes is None else Cell(megabytes(size.bytes), size.bytes, more=f"{size.bytes:,.0f} bytes")
    speed = next((one for one in own.measured.speeds if (one.job, one.where) == work and one.counts), None)
    not_timed = Cell(missing=_why_no_speed(own.measured))
    throughput, ratio = not_timed, not_timed
    if speed:
        said = f"{speed.where}: {1000 * speed.seconds:.3g} ms a call, {speed.tokens_per_second:,.0f} tokens/s"
        throughput = Cell(rate(speed.examples_per_second), speed.examples_per_second, more=said)
        if speed.ratio:
            bounds = f"[{speed.ratio.low:.2f}, {speed.ratio.high:.2f}]"
            more = f"{speed.ratio.value:.2f}× {bounds} as fast as {speed.original}"
            ratio = Cell(f"{speed.ratio.value:.2f}", speed.ratio.value, interval=bounds, more=more)
        elif speed.is_original:
            ratio = Cell("1", 1.0, more="the original")
    read = next((one for one in own.measured.memories if (one.job, one.where) == memory), None)
    peak = Cell(missing="measured elsewhere" if own.measured.memories else "not measured")
    if read and read.peak is not None:
        loaded = f", {megabytes(read.loaded)} MB after loading" if read.loaded is not None else ""
        peak = Cell(megabytes(read.peak), read.peak, more=f"{read.where}: peak {megabytes(read.peak)} MB{loaded}")
    return [parameters, disk, throughput, ratio, peak]


def _millions(count: float) -> str:
    if count < 1e4:
        return "< 0.01" if count else "0"
    return f"{count / 1e6:.2f}" if count < 1e8 else f"{count / 1e6:.0f}"


def _why_no_speed(measured: Measured) -> str:
    if not measured.speeds:
        return "not measured"
    if any(speed.counts for speed in measured.speeds):
        return "measured elsewhere"
    return " or ".join(dict.fromkeys(f"{speed.verdict.lower()} timing" for speed in measured.speeds))


def _details(row: Row, draft: Draft) -> tuple[Detail, ...]:
    records = draft.models[row.model]
    found = []
    for task, parts in [*((task, score.parts) for task, score in row.scores.items()), *row.partial.items()]:
        for part in parts:
            behind = _newest(records, task, part)
            scale = 100 if part.is_share else 1
            found.append(
                Detail(
                    task=task,
                    split=part.split,
                    metric=part.metric,
                    version=behind[0]["scores"][part.metric].get("version") if behind else None,
                    score=f"{spread(part.estimate, scale)} {interval(part.estimate, scale)}",
                    per_seed=", ".join(number(value, scale) for value in part.estimate.per_seed),
                    n=part.n,
                    seeds=len(part.estimate.per_seed),
                    chance=number(part.chance, scale),
                    ceiling=number(part.ceiling.value if part.ceiling else None, scale),
                    fingerprint=behind[0]["data"]["fingerprint"] if behind else "",
                    cells=tuple(record["cell"] for record in behind),
                )
            )
    return tuple(found)


def _newest(records: Sequence[Mapping[str, Any]], task: str, part: Part) -> list[Mapping[str, Any]]:
    """The records a part rests on, one a seed; `records` come newest first."""
    by_seed: dict[int, Mapping[str, Any]] = {}
    for record in records:
        if record["task"]["name"] == task and record["split"] == part.split and part.metric in record["scores"]:
            by_seed.setdefault(record["seed"], record)
    return [by_seed[seed] for seed in sorted(by_seed)]


def _facts(own: Resources) -> tuple[Fact, ...]:
    facts = []
    for speed in own.measured.speeds:
        value = f"{1000 * speed.seconds:.3g} ms a call, {rate(speed.examples_per_second)} examples/s"
        if speed.ratio and speed.counts:
            value += f", {speed.ratio.value:.2f}× [{speed.ratio.low:.2f}, {speed.ratio.high:.2f}] of {speed.original}"
        value += "".join(f", {name} {1000 * seconds:.3g} ms" for name, seconds in speed.latency.items())
        note = "; ".join(part for part in (speed.verdict, speed.note) if part)
        facts.append(Fact("speed", f"{speed.where}, measurement {speed.job}", value, note))
    for memory in own.measured.memories:
        peak = NONE if memory.peak is None else f"peak {megabytes(memory.peak)} MB"
        loaded = "" if memory.loaded is None else f", {megabytes(memory.loaded)} MB after loading"
        facts.append(Fact("memory", f"{memory.where}, measurement {memory.job}", peak + loaded))
    return tuple(facts)


def _references(table: Table, width: int) -> tuple[Reference, ...]:
    if not table.columns:
        return ()

    def padded(texts: Sequence[str]) -> tuple[str, ...]:
        return (*texts, *[""] * (width - len(texts)))

    first = bool(table.averaged)
    rows = [
        Reference(
            "chance",
            padded(
                [*[number(table.chance)][:first], *(number(column.chance, column.scale) for column in table.columns)]
            ),
        )
    ]
    if any(column.ceiling for column in table.columns):
        rows.append(
            Reference(
                "ceiling",
                padded(
                    [
                        *[number(table.ceiling.value if table.ceiling else None)][:first],
                        *(number(one.ceiling.value if one.ceiling else None, one.scale) for one in table.columns),
                    ]
                ),
            )
        )
    rows.append(
        Reference(
            "examples",
            padded([*[""][:first], *(" / ".join(f"{n:,}" for n in one.n.values()) for one in table.columns)]),
        )
    )
    prints = [short(table.fingerprint)][:first] + [short(column.fingerprint) for column in table.columns]
    rows.append(Reference("data", padded(prints), is_code=True))
    return tuple(rows)
