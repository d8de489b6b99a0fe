"""Compression cards: compressed models against their originals, from the records and predictions of both."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Any

from harness.report import formats
from harness.report.leaderboard import Record, comparable, labels_of
from harness.report.pairs import Load, Pairs, change_of, counted, loaded, scale_of, whole
from harness.stats.aggregate import Estimate

if TYPE_CHECKING:
    import numpy as np

NOTE = (
    "Scores ×100 where they are shares. Change: compressed minus original, with a 95 % interval by the paired "
    "bootstrap over the same examples and, with several seeds, their spread; bold: the interval leaves out 0. "
    "Agreement: share of equal predictions. Lost and won: examples right before and wrong after, and the other way "
    "round, over all seeds. Bytes are those of the weight files; parameters that are not zero against those of the "
    "original."
)


@dataclass(frozen=True)
class Flips:
    """Of n predictions of classes or texts (over seeds): how many went from right to wrong, and from wrong to right."""

    lost: int
    won: int
    n: int


@dataclass(frozen=True)
class Card:
    """A compressed model on a task. `agreement` and `flips` are None for predictions that are numbers."""

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
    parameters: tuple[int, int]
    nonzero: tuple[int, int]
    notes: tuple[str, ...]
    steps: Sequence[Mapping[str, Any]]
    scale: int = 100


@dataclass(frozen=True)
class Cards:
    """The cards that may stand in one table."""

    title: str
    cards: tuple[Card, ...]


def build(
    records: Sequence[Record], compressions: Mapping[str, Mapping[str, Any]], order: Sequence[str], load: Load
) -> list[Cards]:
    """Tables of cards of the compressed models whose originals were scored on the same examples.

    `compressions` are the records of compress cells by key, `order` is that of the tasks.
    """
    found = []
    for draft in comparable(records):
        labels = labels_of([own[0] for own in draft.models.values()])
        every = [record for own in draft.models.values() for record in own]
        cards = []
        for model, own in draft.models.items():
            for task, pairs in _pairs(own, every, compressions).items():
                cards.append(_card(task, labels[model], pairs, compressions, load))
        if not cards:
            continue
        cards.sort(key=lambda card: (order.index(card.task), card.original, -card.score, card.model))
        found.append(Cards(formats.heading_of("compression", every), tuple(cards)))
    return found


def _pairs(
    own: Sequence[Record], every: Sequence[Record], compressions: Mapping[str, Mapping[str, Any]]
) -> dict[str, Pairs]:
    """By task, the scores of a compressed model with those of the very model it was made from."""

    def scored(record: Record, fit: str) -> tuple:
        return record["task"]["name"], record["split"], record["data"]["fingerprint"], fit

    originals: dict[tuple, Record] = {}
    for record in every:
        if "compress" not in record["lineage"] and record["lineage"]["finetune"] and record["scores"]:
            originals.setdefault(scored(record, record["lineage"]["finetune"]), record)
    found: dict[str, Pairs] = {}
    for record in own:
        if record["lineage"].get("compress") in compressions and record["scores"]:
            before = originals.get(scored(record, record["lineage"]["finetune"]))
            if before is not None:
                pairs = found.setdefault(record["task"]["name"], {})
                pairs.setdefault((record["seed"], record["split"]), (before, record))
    return found


def _card(task: str, model: str, pairs: Pairs, compressions: Mapping[str, Mapping[str, Any]], load: Load) -> Card:
    seeds, splits = whole(pairs)
    first = pairs[seeds[0], splits[0]][1]
    sides = loaded(pairs, load)
    equal, flips = [], []
    for side in sides:
        for before, after in zip(side.before, side.after, strict=True):
            if before.dtype.kind != "f":
                equal += (before == after).tolist()
                flips.append(_flips(before, after, side.references))
    made = [compressions[pairs[seed, splits[0]][1]["lineage"]["compress"]]["compression"] for seed in seeds]
    return Card(
        task=task,
        model=model,
        original=first["model"]["original"],
        method=first["model"]["method"],
        runtime=first["runtime"],
        seeds=len(seeds),
        n=sum(pairs[seeds[0], split][1]["n"] for split in splits),
        score=fmean(
            pairs[seed, split][1]["scores"][name]["value"]
            for seed in seeds
            for split in splits
            for name in counted(first)
        ),
        change=change_of(sides, first),
        agreement=fmean(equal) if equal else None,
        flips=Flips(*(sum(column) for column in zip(*flips, strict=True))) if flips else None,
        bytes=_both(made, "bytes"),
        parameters=_both(made, "parameters"),
        nonzero=_both(made, "nonzero"),
        notes=tuple(dict.fromkeys(note for one in made for note in one["notes"])),
        steps=made[0]["steps"],
        scale=scale_of(first),
    )


def _flips(before: np.ndarray, after: np.ndarray, references: np.ndarray) -> tuple[int, int, int]:
    """Lost, won and n. A text is right where it is one of its references, or empty where there is none."""
    import numpy as np

    if references.dtype.kind == "O":
        right, still = (
            np.asarray([text in (refs or ("",)) for text, refs in zip(side, references, strict=True)])
            for side in (before, after)
        )
    else:
        right, still = before == references, after == references
    return int((right & ~still).sum()), int((~right & still).sum()), len(references)


def _both(made: Sequence[Mapping[str, Any]], name: str) -> tuple[int, int]:
    """Before and after, means over seeds."""
    return round(fmean(one["before"][name] for one in made)), round(fmean(one["after"][name] for one in made))


def to_markdown(found: Cards) -> str:
    """A row a task and compressed model, and below what was not saved."""
    header = [
        "task", "model", "runtime", "seeds", "examples", "score", "change", "agreement", "lost", "won", "bytes",
        "non-zeros",
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
            f"{size(card.bytes[1])} of {size(card.bytes[0])}",
            f"{100 * card.nonzero[1] / max(1, card.nonzero[0]):.1f} %",
        ]
        for card in found.cards
    ]
    said: dict[str, list[str]] = {}
    for card in found.cards:
        for note in card.notes:
            models = said.setdefault(note, [])
            models += [card.model] if card.model not in models else []
    notes = [f"Of {', '.join(models)}: {note}" for note, models in said.items()]
    return formats.markdown_table(found.title, header, body, [NOTE, *notes])


def size(count: int) -> str:
    """Bytes for a reader: 812 kB, 4.2 MB."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            number = count / factor
            return f"{number:.0f} {unit}" if number >= 100 else f"{number:.1f} {unit}"
    return f"{count} B"


def to_json(found: Sequence[Cards]) -> str:
    """Everything, at full precision, scale 0…1."""
    return json.dumps(
        {"schema_version": formats.SCHEMA_VERSION, "tables": [{**asdict(one), "note": NOTE} for one in found]},
        indent=1,
        ensure_ascii=False,
    )
