"""Attacks for the page: their numbers, and examples side by side with what was changed marked."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from harness.core.attacked_examples import AttackedExample
from harness.report.page.examples import clipped
from harness.report.page.model import AttackedText, AttackView, Grid
from harness.report.tables import attacks
from harness.report.tables.comparable import Record
from harness.report.tables.formats import without_fingerprint

SHOWN = 20
"""Examples of a model and attack that are put into the page."""
VIEWS = 24
"""Models and attacks whose examples are."""
PIECE = re.compile(r"\s+|\S+")
Load = Callable[[Record], tuple[Sequence[AttackedExample], Sequence[str]]]
"""The examples of a score under an attack, and the names of the classes."""


def attack_grids(tables: Sequence[attacks.AttackTable]) -> tuple[Grid, ...]:
    """The numbers, as `harness leaderboard --robustness` has them."""
    return tuple(
        Grid(
            without_fingerprint(table.title), attacks.HEADER, tuple(map(attacks.cells_of, table.rows)),
            (attacks.NOTE,), numbers_from=3,
        )
        for table in tables
    )  # fmt: skip


def attack_views(records: Sequence[Record], load: Load) -> tuple[AttackView, ...]:
    """Examples that fool a model, of the first seed of each model and attack."""
    firsts: dict[tuple[str, str, str], Record] = {}
    for record in sorted(records, key=lambda record: record.seed):
        if record.attack is not None:
            firsts.setdefault((record.task.name, record.split, record.model.name), record)
    return tuple(_view(record, *load(record)) for record in list(firsts.values())[:VIEWS])


def _view(record: Record, examples: Sequence[AttackedExample], labels: Sequence[str]) -> AttackView:
    fooled = [example for example in examples if example.result == "succeeded"]

    def name(label: int) -> str:
        return labels[label] if 0 <= label < len(labels) else str(label)

    rows = []
    for example in fooled[:SHOWN]:
        before, after = marked(clipped(example.original), clipped(example.attacked))
        numbers = f"{example.changed} of {example.words} words, {example.queries} queries"
        rows.append(AttackedText(example.id, name(example.label), name(example.after), before, after, numbers))
    title = f"{record.model.name} on {record.task.name}" + ("" if record.split == "dev" else f" {record.split}")
    return AttackView(title, tuple(rows), len(fooled), len(examples))


def marked(original: str, changed: str) -> tuple[tuple[tuple[str, bool], ...], tuple[tuple[str, bool], ...]]:
    """Both texts in pieces, each with whether it is another one there."""
    old, new = PIECE.findall(original), PIECE.findall(changed)
    before: list[tuple[str, bool]] = []
    after: list[tuple[str, bool]] = []
    for kind, start, end, from_, to in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        before += [("".join(old[start:end]), kind != "equal")]
        after += [("".join(new[from_:to]), kind != "equal")]
    return tuple(piece for piece in before if piece[0]), tuple(piece for piece in after if piece[0])
