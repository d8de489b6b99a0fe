"""From a way to make one text, with the rows about it, to the splits of a task whose answers are texts.

No text is in two splits or twice in one. There is no noise: an answer drawn at random is not the sort of mistake that
people make when they write answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from harness.data.synthetic.invent import Scope, held_out
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import WORLD_VERSION

Values = dict[str, Any]


class Piece(NamedTuple):
    """A text, the rows about it, and the pairs of keys in it that may be held out."""

    text: str
    rows: tuple[Values, ...]
    combinations: tuple[tuple[str, str], ...]

    def novel(self) -> set[bool]:
        return {held_out(*pair) for pair in self.combinations}


class TextShape(NamedTuple):
    columns: tuple[str, ...]
    sizes: dict[str, int]
    make: Callable[[Rng, Scope], Piece | None]
    """A text in the scope, or None where the draw came to nothing."""


def draw(name: str, shape: TextShape) -> dict[str, list[Piece]]:
    """The texts of every split, with as many rows as its size; every third of dev and test tells what is held out."""
    seen: set[str] = set()
    pieces: dict[str, list[Piece]] = {}
    for split, size in shape.sizes.items():
        rng = Rng(f"{WORLD_VERSION}:{name}:{split}")
        drawn_pieces: list[Piece] = []
        rows = 0
        while rows < size:
            novel = split != "train" and len(drawn_pieces) % 3 == 0
            piece = shape.make(rng, Scope(False, novel))
            if piece is None or piece.text in seen or not piece.novel() <= {novel}:
                continue
            seen.add(piece.text)
            left = size - rows
            drawn_pieces.append(piece._replace(rows=piece.rows[:left]))
            rows += len(drawn_pieces[-1].rows)
        pieces[split] = drawn_pieces
    return pieces


def tabulate(name: str, shape: TextShape) -> dict[str, dict[str, list]]:
    """The columns of each split. `title` names the text that a row is about, since several rows may share one."""
    splits: dict[str, dict[str, list]] = {}
    for split, pieces in draw(name, shape).items():
        titled = [
            {"title": f"{name}-{split}-text-{number}", **row}
            for number, piece in enumerate(pieces)
            for row in piece.rows
        ]
        columns: dict[str, list] = {"id": [f"{name}-{split}-{number}" for number in range(len(titled))]}
        for column in shape.columns:
            columns[column] = [row[column] for row in titled]
        splits[split] = columns
    return splits
