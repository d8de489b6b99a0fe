"""From a way to make one row to splits: sizes, balance, held-out combinations, disjoint texts, label noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from harness.data.synthetic.invent import Scope, held_out
from harness.data.synthetic.rng import Rng

WORLD_VERSION = 1

HELD_OUT_FRACTION = 1 / 3
"""Share of dev and test rows that contain a held-out combination; no row of train does."""

Truth = str | float


class Row(NamedTuple):
    """Texts with their noise-free truth and the pairs of keys that may be held out."""

    texts: tuple[str, ...]
    truth: Truth
    combinations: tuple[tuple[str, str], ...]
    note: str = ""


Make = Callable[[Rng, Scope, str], Row | None]
"""A row of the wanted class in the scope, or None where the draw came to nothing."""


class Shape(NamedTuple):
    fields: tuple[str, ...]
    labels: tuple[str, ...]
    sizes: dict[str, int]
    make: Make
    noise: float
    weights: tuple[float, ...] = ()
    away: tuple[str, ...] = ()
    """The splits of the mismatched genre."""


def holds_held_out(row: Row) -> bool:
    return any(held_out(first, second) for first, second in row.combinations)


def draw(name: str, shape: Shape) -> dict[str, list[Row]]:
    """The rows of every split. No text is in two splits and no row twice."""
    owner: dict[str, str] = {}
    rows: dict[str, list[Row]] = {}
    for split, size in shape.sizes.items():
        rng = Rng(f"{WORLD_VERSION}:{name}:{split}")
        away = split in shape.away
        drawn_rows: list[Row] = []
        seen: set[tuple[str, ...]] = set()
        labels = _wanted(rng, shape, size)
        while len(drawn_rows) < size:
            novel = split != "train" and len(drawn_rows) % 3 == 0
            row = shape.make(rng, Scope(away, novel), labels[len(drawn_rows)])
            if row is None or holds_held_out(row) != novel or row.texts in seen:
                continue
            if any(owner.get(text, split) != split for text in row.texts):
                continue
            owner.update(dict.fromkeys(row.texts, split))
            seen.add(row.texts)
            drawn_rows.append(row)
        rows[split] = rng.sample(drawn_rows, size)
    return rows


def _wanted(rng: Rng, shape: Shape, size: int) -> list[str]:
    """The class of each row to draw, in exact proportion."""
    if not shape.labels:
        return [""] * size
    weights = shape.weights or (1.0,) * len(shape.labels)
    fractions = [weight / sum(weights) for weight in weights]
    wanted: list[str] = []
    for label, fraction in zip(shape.labels, fractions, strict=True):
        wanted += [label] * round(fraction * size)
    return rng.sample((wanted + [shape.labels[0]] * size)[:size], size)


def observe(rng: Rng, truth: Truth, shape: Shape) -> Truth:
    """The label somebody gave: another class at the noise rate, or a score with normal noise."""
    if isinstance(truth, float):
        return round(min(5.0, max(0.0, truth + shape.noise * rng.normal())), 3)
    if rng.chance(shape.noise):
        return rng.choice([label for label in shape.labels if label != truth])
    return truth


def tabulate(name: str, shape: Shape) -> dict[str, dict[str, list]]:
    splits: dict[str, dict[str, list]] = {}
    for split, rows in draw(name, shape).items():
        rng = Rng(f"{WORLD_VERSION}:{name}:{split}:noise")
        columns: dict[str, list] = {"id": [_identity(name, split, number, row) for number, row in enumerate(rows)]}
        for position, field in enumerate(shape.fields):
            columns[field] = [row.texts[position] for row in rows]
        columns["label"] = [observe(rng, row.truth, shape) for row in rows]
        columns["oracle"] = [row.truth for row in rows]
        splits[split] = columns
    return splits


def _identity(name: str, split: str, number: int, row: Row) -> str:
    return "-".join(part for part in (name, split, row.note, str(number)) if part)
