"""Compression cards: compressed models against their originals, from the records and predictions of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from harness.core.cell_records import CompressionFacts, CompressRecord
from harness.core.hashing import short
from harness.report.tables import formats
from harness.report.tables.card_parts import CalibrationChange, Cost, absences, costs, savings
from harness.report.tables.comparable import Record, comparable, labels_of
from harness.report.tables.judging import Flips, Judge, Judged
from harness.report.tables.measured import Measured
from harness.report.tables.pairs import Pairs, counted, scale_of, whole
from harness.stats.aggregate import Estimate

NOTE = (
    "Scores ×100 where they are fractions. Change: compressed minus original, with the 95 % interval that the gate "
    "gives a drop: over the same examples and, with several seeds, their spread; bold: the interval leaves out 0. "
    "Agreement: fraction of equal predictions. Lost and won: examples right before and wrong after, and the other way "
    "round, over all seeds. Bytes are those of the weight files; parameters that are not zero against those of the "
    "original; sparsity: the fraction of its own that are zero. ECE: expected calibration error ×100, 15 bins, "
    "without a "
    "temperature, before and after, with the change and its paired interval."
)
COST_NOTE = (
    "Speed: how many times as fast as the original, with a 95 % interval; A/A: the original against itself. Only VALID "
    "ratios may be judged by; IMPRECISE: the interval is wider than was asked for; INVALID: not a valid measurement. "
    "Memory: of a process of its own, less what imports took; its peak while calling (of a GPU's memory what torch has "
    "taken), and what of it after calling is of no file (RssAnon); the original's behind it."
)


@dataclass(frozen=True)
class Card:
    """A compressed model on a task. `agreement` is None for predictions that are numbers, `flips` also for texts that
    no metric calls right or wrong; what else could not be had is None or empty, and `absent` says why. `sparsity` is
    the fraction of parameters that are zero. Pairs are of the original and of the model.
    """

    task: str
    model: str
    original: str
    method: str
    runtime: str
    seeds: int
    n: int
    score: float
    change: Estimate
    agreement: float | None
    flips: Flips | None
    bytes: tuple[int, int]
    parameters: tuple[int, int] | None
    nonzero: tuple[int, int] | None
    sparsity: tuple[float, float] | None
    calibration: CalibrationChange | None
    costs: tuple[Cost, ...]
    absent: Mapping[str, str]
    notes: tuple[str, ...]
    steps: Sequence[Mapping[str, Any]]
    scale: int = 100


@dataclass(frozen=True)
class Cards:
    """The cards that may stand in one table."""

    title: str
    cards: tuple[Card, ...]


def build(
    records: Sequence[Record],
    compressions: Mapping[str, CompressRecord],
    order: Sequence[str],
    judge: Judge,
    measured: Sequence[Measured] = (),
) -> list[Cards]:
    """Tables of cards of the compressed models whose originals were scored on the same examples.

    `compressions` are the records of compress cells by key, `order` is that of the tasks, `judge` says
    what predictions say of a change, `measured` is what was measured of any models.
    """
    groups: list[Cards] = []
    for draft in comparable(records) if compressions else ():
        labels = labels_of([model_records[0] for model_records in draft.models.values()])
        every = [record for model_records in draft.models.values() for record in model_records]
        originals = _originals(every)
        cards = []
        for model, model_records in draft.models.items():
            for task, pairs in _pairs(model_records, originals, compressions).items():
                cards.append(_card(task, labels[model], pairs, compressions, judge(pairs), costs(pairs, measured)))
        if not cards:
            continue
        cards.sort(key=lambda card: (order.index(card.task), card.original, -card.score, card.model))
        groups.append(Cards(formats.heading_of("compression", every), tuple(cards)))
    return groups


def _originals(records: Sequence[Record]) -> dict[tuple[str, ...], Record]:
    """Scores of models that were not compressed, by what was scored."""
    originals: dict[tuple[str, ...], Record] = {}
    for record in records:
        if not record.lineage.first.compress and record.scores:
            originals.setdefault(_scored(record), record)
    return originals


def _scored(record: Record) -> tuple[str, ...]:
    """What was scored, and the model that it is or that it was made of, with the seed that drew what it was shown."""
    made = record.lineage.first
    origin = made.finetune or made.pretrain or made.weights or ""
    return record.task.name, record.split, record.data.fingerprint, origin, str(record.seed)


def _pairs(
    records: Sequence[Record], originals: Mapping[tuple[str, ...], Record], compressions: Mapping[str, CompressRecord]
) -> dict[str, Pairs]:
    """By task, the scores of a compressed model with those of the very model it was made from."""
    by_task: dict[str, Pairs] = {}
    for record in records:
        if record.lineage.first.compress in compressions and record.scores:
            before = originals.get(_scored(record))
            if before is not None:
                pairs = by_task.setdefault(record.task.name, {})
                pairs.setdefault((record.seed, record.split), (before, record))
    return by_task


def _card(
    task: str,
    model: str,
    pairs: Pairs,
    compressions: Mapping[str, CompressRecord],
    judged: Judged,
    known_costs: tuple[Cost, ...],
) -> Card:
    seeds, splits = whole(pairs)
    first = pairs[seeds[0], splits[0]][1]
    made = [compressions[pairs[seed, splits[0]][1].lineage.first.compress or ""].compression for seed in seeds]
    parameters, nonzero, sizes = _both(made, "parameters"), _both(made, "nonzero"), _both(made, "bytes")
    assert sizes is not None
    uncounted = {} if parameters and nonzero else {"nonzero": "a weight file is in no format that is read here"}
    return Card(
        task=task,
        model=model,
        original=first.model.original or "",
        method=first.model.method or "",
        runtime=first.runtime or "",
        seeds=len(seeds),
        n=sum(pairs[seeds[0], split][1].n for split in splits),
        score=fmean(
            pairs[seed, split][1].scores[name].value for seed in seeds for split in splits for name in counted(first)
        ),
        change=judged.change,
        agreement=judged.agreement,
        flips=judged.flips,
        bytes=sizes,
        parameters=parameters,
        nonzero=nonzero,
        sparsity=_sparsity(parameters, nonzero) if parameters and nonzero else None,
        calibration=None if isinstance(judged.calibration, str) else judged.calibration,
        costs=known_costs,
        absent=absences(known_costs, judged.calibration, uncounted),
        notes=tuple(
            dict.fromkeys([*(note for compression in made for note in compression.notes), *savings(known_costs)])
        ),
        steps=[step.as_json() for step in made[0].steps],
        scale=scale_of(first),
    )


def _sparsity(parameters: tuple[int, int], nonzero: tuple[int, int]) -> tuple[float, float]:
    before, after = (1 - full / max(1, count) for count, full in zip(parameters, nonzero, strict=True))
    return before, after


def _both(made: Sequence[CompressionFacts], name: str) -> tuple[int, int] | None:
    """Before and after, means over seeds; None where it is unknown of one."""
    befores = [getattr(compression.before, name) for compression in made]
    afters = [getattr(compression.after, name) for compression in made]
    return None if None in (*befores, *afters) else (round(fmean(befores)), round(fmean(afters)))


def to_markdown(cards: Cards) -> str:
    """A row a task and compressed model, then one a setting in which it was measured; below, what was not saved and
    what is absent.
    """
    header = [
        "task", "model", "runtime", "seeds", "examples", "score", "change", "agreement", "lost", "won", "ECE", "bytes",
        "non-zeros", "sparsity",
    ]  # fmt: skip
    body = [
        [
            formats.escaped(card.task),
            formats.escaped(card.model),
            card.runtime,
            str(card.seeds),
            str(card.n),
            f"{card.scale * card.score:.{1 if card.scale == 100 else 2}f}",
            formats.signed(card.change, card.scale),
            formats.NONE if card.agreement is None else f"{100 * card.agreement:.1f} %",
            formats.NONE if card.flips is None else f"{card.flips.lost} of {card.flips.n}",
            formats.NONE if card.flips is None else f"{card.flips.won} of {card.flips.n}",
            formats.NONE if card.calibration is None else _ece(card.calibration),
            f"{size(card.bytes[1])} of {size(card.bytes[0])}",
            formats.NONE if card.nonzero is None else f"{100 * card.nonzero[1] / max(1, card.nonzero[0]):.1f} %",
            formats.NONE if card.sparsity is None else f"{100 * card.sparsity[1]:.1f} %",
        ]
        for card in cards.cards
    ]
    tables = [formats.markdown_table(cards.title, header, body, [NOTE])]
    tables += [_measured_table(*group) for group in _by_machine(cards.cards)]
    absent = [(card, f"no {what}: {reason}.") for card in cards.cards for what, reason in card.absent.items()]
    notes = [*((card, note) for card in cards.cards for note in card.notes), *absent]
    return "\n".join([*tables, *map(formats.escaped, _notes_text(notes))]) + "\n"


def _ece(calibration: CalibrationChange) -> str:
    return f"{100 * calibration.before:.1f} → {100 * calibration.after:.1f}, {formats.signed(calibration.change)}"


def _notes_text(notes: Sequence[tuple[Card, str]]) -> list[str]:
    """Each sentence once, with all the models it is said of."""
    models_of_note: dict[str, list[str]] = {}
    for card, note in notes:
        models = models_of_note.setdefault(note, [])
        models += [card.model] if card.model not in models else []
    return [f"Of {', '.join(models)}: {note}" for note, models in models_of_note.items()]


def _by_machine(cards: Sequence[Card]) -> list[tuple[str, list[tuple[Card, Cost]]]]:
    """What was measured, by machine and threads: a table of each, with its title."""
    groups: dict[tuple[str, int, str], list[tuple[Card, Cost]]] = {}
    for card in cards:
        for cost in card.costs:
            groups.setdefault((cost.setting.machine, cost.setting.threads, cost.processor), []).append((card, cost))
    return [
        (
            f"speed and memory, {threads} thread{'s' if threads > 1 else ''}, {processor} ({short(machine)})",
            members,
        )
        for (machine, threads, processor), members in groups.items()
    ]


def _measured_table(title: str, rows: Sequence[tuple[Card, Cost]]) -> str:
    header = ["task", "model", "batch × length", "speed", "pairs", "A/A", "verdict", "peak memory", "RssAnon"]
    body = [
        [
            formats.escaped(card.task),
            formats.escaped(card.model),
            cost.setting.where,
            f"{cost.speed.value:.2f}× [{cost.speed.low:.2f}, {cost.speed.high:.2f}]" if cost.speed else formats.NONE,
            str(cost.speed.pairs) if cost.speed else formats.NONE,
            f"{cost.a_a:.3f}" if cost.a_a is not None else formats.NONE,
            cost.verdict,
            _of(cost, "most"),
            _of(cost, "anonymous"),
        ]
        for card, cost in rows
    ]
    whys = [(card, f"{cost.verdict} at {cost.setting.where}: {cost.reason}.") for card, cost in rows if cost.reason]
    return formats.markdown_table(title, header, body, [COST_NOTE, *_notes_text(whys)])


def _of(cost: Cost, name: str) -> str:
    if cost.memory is None or None in (both := [getattr(memory, name) for memory in cost.memory]):
        return formats.NONE
    return f"{size(both[1])} of {size(both[0])}"


def size(count: int) -> str:
    """Bytes for a reader: 812 kB, 4.2 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            number = count / factor
            return f"{number:.0f} {unit}" if number >= 100 else f"{number:.1f} {unit}"
    return f"{count} B"


def to_json(groups: Sequence[Cards]) -> str:
    """Everything, at full precision, scale 0…1."""
    return json.dumps(
        {"schema_version": formats.SCHEMA_VERSION, "tables": [{**asdict(group), "note": NOTE} for group in groups]},
        indent=1,
        ensure_ascii=False,
    )
