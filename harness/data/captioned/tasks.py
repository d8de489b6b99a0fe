"""Tasks of the generated worlds: items with a class, items with captions, and items with a right and a wrong caption.

In `train`, `dev` and `test` nothing is held out; every item of a compositional task shows one held-out combination, in
equal parts of each sort, which the id of a row names. No item is in two splits, nor in a corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import cycle

from harness.core.items import Item
from harness.data.captioned.grammar import LANGUAGES
from harness.data.captioned.meaning import INVERSE, UNSAID, Group, Meaning, fits
from harness.data.captioned.motions import MOTIONS
from harness.data.captioned.scenes import SCENES
from harness.data.captioned.sounds import SOUNDS
from harness.data.captioned.world import (
    ARRANGEMENT,
    BINDING,
    NUMBER,
    PAIR,
    SEVERAL,
    SINGLE,
    World,
    describe,
)
from harness.data.synthetic.rng import Rng

Columns = dict[str, list]
Splits = dict[str, Columns]

VERSION = 1
CLASS_SIZES = {"train": 2000, "dev": 500, "test": 500}
RETRIEVAL_SIZE = 500
CAPTIONS = 2
"""Captions of an item in retrieval, in different words."""
TRIES = 8
"""So many times it is tried to say something else of an item."""
PAIRS_SIZE = 500
NUMBERS = ("one", "two", "three", "four")

CLASSES: dict[str, Callable[[Group], str]] = {
    "kind": lambda group: group.kind,
    "quality": lambda group: group.quality,
    "count": lambda group: NUMBERS[group.number - 1],
    "manner": lambda group: group.manner,
}


class Drawn:
    """Items of a task's splits, no two alike."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.rng = world, Rng(f"{VERSION}:{world.name}:{name}")
        self._seen: set[Item] = set()

    def item(self, meaning: Meaning) -> Item:
        """An item that no split has yet."""
        while True:
            item = self.world.item(self.rng, meaning, for_task=True)
            if item not in self._seen:
                self._seen.add(item)
                return item


def classified(world: World, aspect: str) -> Splits:
    """Items of one thing, and its kind or its quality; or of several of a kind, and how many there are."""
    drawn = Drawn(world, f"classes:{aspect}")
    splits: Splits = {}
    for split, size in CLASS_SIZES.items():
        meanings = [
            world.seen(drawn.rng, SEVERAL if aspect == "count" and drawn.rng.chance(0.75) else SINGLE)
            for _ in range(size)
        ]
        splits[split] = {
            "id": [f"{world.name}-{aspect}-{split}-{number}" for number in range(size)],
            world.modality: [drawn.item(meaning) for meaning in meanings],
            "label": [CLASSES[aspect](meaning.groups[0]) for meaning in meanings],
        }
    return splits


def _retrieved(world: World, rng: Rng, compositional: bool) -> Iterator[tuple[str, Meaning]]:
    """What is new in each item, if anything, and what it shows."""
    for new, form in zip(cycle((BINDING, ARRANGEMENT, NUMBER)), cycle(world.retrieved)):
        wanted = {new} if compositional else set()
        meaning = world.draw(rng, form)
        while world.held_out(meaning) != wanted:
            meaning = world.draw(rng, rng.choice(world.retrieved) if compositional else form)
        yield new if compositional else "", meaning


def captioned(world: World, compositional: bool = False) -> list[tuple[str, Meaning, tuple[Meaning, ...]]]:
    """Of a task of retrieval: what is new in each item, what it shows, and what each of its captions says.

    No two items show the same, and no two captions say the same, but one may be true of several items.
    """
    rng = Rng(f"{VERSION}:{world.name}:retrieval:{compositional}")
    used: set[Meaning] = set()
    shown: set[Meaning] = set()
    rows: list[tuple[str, Meaning, tuple[Meaning, ...]]] = []
    for new, meaning in _retrieved(world, rng, compositional):
        if meaning in shown:
            continue
        descriptions: dict[frozenset[Meaning], Meaning] = {}
        for _ in range(TRIES):
            description = describe(rng, meaning)
            descriptions.setdefault(frozenset((description, description.turned())), description)
        captions = [description for alike, description in descriptions.items() if not used & alike][:CAPTIONS]
        if len(captions) == CAPTIONS:
            used.update(*((description, description.turned()) for description in captions))
            shown |= {meaning, meaning.turned()}
            rows.append((new, meaning, tuple(captions)))
        if len(rows) == RETRIEVAL_SIZE:
            return rows
    raise AssertionError("what is retrieved does not end")


def retrieval(world: World, language: str, compositional: bool = False) -> Splits:
    """Items with captions in a language; the items and what is said of them are those of the other languages."""
    drawn = Drawn(world, f"retrieval:{compositional}")
    words = Rng(f"{VERSION}:{world.name}:retrieval:{compositional}:{language}")
    columns: Columns = {"id": [], world.modality: [], "text": []}
    for number, (new, meaning, descriptions) in enumerate(captioned(world, compositional)):
        item = drawn.item(meaning)
        for which, description in enumerate(descriptions):
            parts = (f"{world.name}-retrieval", new, str(number), str(which))
            columns["id"].append("-".join(part for part in parts if part))
            columns[world.modality].append(item)
            columns["text"].append(world.caption(words, language, description))
    return {"test": columns}


def swapped(world: World, meaning: Meaning, aspect: str, rng: Rng) -> Meaning:
    """The same words with one thing wrong: whose quality is whose, what stands in which relation, or how many there
    are.
    """
    first, *rest = meaning.groups
    if aspect == BINDING:
        (second,) = rest
        return meaning._replace(groups=(first._replace(quality=second.quality), second._replace(quality=first.quality)))
    if aspect == ARRANGEMENT:
        return meaning._replace(relation=INVERSE[meaning.relation])
    other = rng.choice([count for count in (2, 3, 4) if count != first.number])
    return meaning._replace(groups=(first._replace(number=other),))


def caption_pairs(world: World, aspect: str, language: str) -> Splits:
    """Items with a right caption and one in which one thing is wrong (`swapped`), but nothing is held out."""
    drawn = Drawn(world, f"pairs:{aspect}")
    words = Rng(f"{VERSION}:{world.name}:pairs:{aspect}:{language}")
    columns: Columns = {"id": [], world.modality: [], "good": [], "bad": []}
    while len(columns["id"]) < PAIRS_SIZE:
        meaning = world.seen(drawn.rng, SEVERAL if aspect == NUMBER else PAIR)
        groups = tuple(group._replace(manner=UNSAID) for group in meaning.groups)
        right = Meaning(groups, meaning.relation)
        wrong = swapped(world, right, aspect, drawn.rng)
        if world.held_out(wrong) or fits(wrong, meaning):
            continue
        if aspect == BINDING and groups[0].kind == groups[1].kind:
            continue
        if len(groups) > 1 and drawn.rng.chance(0.5):
            right, wrong = right.turned(), wrong.turned()
        columns["id"].append(f"{world.name}-{aspect}-{len(columns['id'])}")
        columns[world.modality].append(drawn.item(meaning))
        state = words.choice(range(2**20))
        columns["good"].append(world.caption(Rng(str(state)), language, right))
        columns["bad"].append(world.caption(Rng(str(state)), language, wrong))
    return {"test": columns}


ASPECTS = {
    SCENES: {"shapes": "kind", "colours": "quality", "counts": "count"},
    SOUNDS: {"timbre": "kind", "pitch": "quality", "counts": "count"},
    MOTIONS: {"shapes": "kind", "directions": "manner"},
}
"""Of each world, what is classified and by what its tasks are called."""


def _templates() -> dict[str, Callable[[], Splits]]:
    templates: dict[str, Callable[[], Splits]] = {}
    for world, aspects in ASPECTS.items():
        for name, aspect in aspects.items():
            templates[f"{world.name}-{name}"] = partial(classified, world, aspect)
        for language in LANGUAGES:
            templates[f"{world.name}-retrieval-{language}"] = partial(retrieval, world, language)
    for world in (SCENES, SOUNDS):
        for language in LANGUAGES:
            templates[f"{world.name}-retrieval-compositional-{language}"] = partial(retrieval, world, language, True)
            for aspect in (BINDING, ARRANGEMENT, NUMBER):
                named = f"{world.name}-captions-{aspect}-{language}"
                templates[named] = partial(caption_pairs, world, aspect, language)
    return templates


TEMPLATES = _templates()
