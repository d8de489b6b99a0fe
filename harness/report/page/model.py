"""What the page shows, as plain data. All text is raw: the templates escape it. What is unknown is None, and shown as
such.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Group = Literal["quality", "size", "speed", "memory"]
GROUPS: tuple[Group, ...] = ("quality", "size", "speed", "memory")


@dataclass(frozen=True)
class Whisker:
    """An interval on its column's axis: where its ends, its value, chance and ceiling lie, from 0 to 100."""

    low: float
    value: float
    high: float
    chance: float | None = None
    ceiling: float | None = None


@dataclass(frozen=True)
class Cell:
    """A number as it is read, and as it is sorted by, with its bounds; `more` is said on demand, `missing` why there is
    no number.
    """

    text: str = ""
    order: float | None = None
    bounds: tuple[float, float] | None = None
    interval: str = ""
    whisker: Whisker | None = None
    best: bool = False
    more: str = ""
    missing: str = ""


@dataclass(frozen=True)
class Head:
    """A column: its title, a second line in small, what is said of it on demand, and which end of it is good."""

    key: str
    title: str
    group: Group
    small: str = ""
    more: str = ""
    marks: str = ""
    lower_is_better: bool = False


@dataclass(frozen=True)
class Detail:
    """One metric of one split of a row: all a score rests on."""

    task: str
    split: str
    metric: str
    version: int | None
    score: str
    per_seed: str
    n: int
    seeds: int
    chance: str
    ceiling: str
    fingerprint: str
    cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fact:
    """A measured number of a row: where it was taken, and what it is."""

    what: str
    where: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A model: a cell for each head of its section."""

    key: str
    label: str
    kind: str
    cells: tuple[Cell, ...]
    details: tuple[Detail, ...]
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reference:
    """A row that is no model: chance, ceiling, examples, data. A text for each head."""

    label: str
    texts: tuple[str, ...]
    is_code: bool = False


@dataclass(frozen=True)
class RankTable:
    """Ranks with ties by one score: a header, a line a model, and how to read it."""

    title: str
    header: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """One table. `measured` says of each group of columns whether any row has a number in it; `verdict` says in a
    sentence who leads, `ranks` which models the data do not separate.
    """

    key: str
    title: str
    heads: tuple[Head, ...]
    lines: tuple[Line, ...]
    references: tuple[Reference, ...]
    notes: tuple[str, ...]
    measured: Mapping[str, bool] = field(default_factory=dict)
    verdict: str = ""
    ranks: tuple[RankTable, ...] = ()

    def groups(self) -> tuple[Group, ...]:
        return tuple(group for group in GROUPS if any(head.group == group for head in self.heads))


@dataclass(frozen=True)
class Grid:
    """A small table of text: `aligned` columns from that index on are numbers."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    numbers_from: int = 1


@dataclass(frozen=True)
class Chart:
    """A plot, drawn by the page's script from `drawing`, and the same numbers as a table; of a section, where it is."""

    key: str
    title: str
    drawing: Mapping[str, Any]
    table: Grid
    notes: tuple[str, ...] = ()
    of_table: str = ""


@dataclass(frozen=True)
class Stage:
    """A step of a model's making: what it is, its hash, and facts of it."""

    kind: str
    label: str
    digest: str | None
    facts: str = ""


@dataclass(frozen=True)
class Chain:
    """From raw text or weights to one score, for a task and a seed."""

    task: str
    seed: int
    stages: tuple[Stage, ...]


@dataclass(frozen=True)
class Lineage:
    """A model's chains in one section; `left_out` of them are not shown."""

    model: str
    identity: str
    chains: tuple[Chain, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Card:
    """A compressed model against its original on one task: bars are fractions of the original, 0 to 1."""

    task: str
    model: str
    original: str
    method: str
    runtime: str
    score: str
    change: str
    verdict: str
    bars: tuple[tuple[str, float, str], ...]
    lines: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Titled:
    """Things of one kind that rest on the same data."""

    title: str
    items: tuple[Any, ...]
    key: str = ""


@dataclass(frozen=True)
class Asked:
    """A run: when, how it ended, what was asked for, what failed."""

    name: str
    created: str
    status: str
    seconds: float
    asked: str
    cells: str
    failures: tuple[str, ...]
    environment: int


@dataclass(frozen=True)
class AttackedText:
    """An example that fools a model: both texts in pieces, each with whether it was changed."""

    id: str
    label: str
    answer: str
    original: tuple[tuple[str, bool], ...]
    attacked: tuple[tuple[str, bool], ...]
    numbers: str


@dataclass(frozen=True)
class AttackView:
    """Some of the examples of a model under an attack: `fooled` of `n` fool it."""

    title: str
    rows: tuple[AttackedText, ...]
    fooled: int
    n: int


@dataclass(frozen=True)
class Page:
    """The whole page. `examples` goes to the script as it is; `warnings` say what could not be read."""

    title: str
    created: str
    version: str
    sections: tuple[Section, ...]
    pretrainings: tuple[Grid, ...] = ()
    tradeoffs: tuple[Chart, ...] = ()
    curves: tuple[Chart, ...] = ()
    efficiency: tuple[Chart, ...] = ()
    compression: tuple[Titled, ...] = ()
    other_data: tuple[Grid, ...] = ()
    attacks: tuple[Grid, ...] = ()
    attacked: tuple[AttackView, ...] = ()
    calibration: tuple[Grid, ...] = ()
    selective: tuple[Chart, ...] = ()
    groups: tuple[Grid, ...] = ()
    lineage: tuple[Titled, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = ()
    runs: tuple[Asked, ...] = ()
    environments: tuple[Grid, ...] = ()
    warnings: tuple[str, ...] = ()
