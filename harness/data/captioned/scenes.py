"""The world of scenes: shapes in colours and sizes, one to four of them, on a grey ground."""

from __future__ import annotations

from functools import partial

from harness.core.hashing import hash_json
from harness.core.items import Item
from harness.data.captioned.meaning import UNSAID, Group, Meaning
from harness.data.captioned.pixels import NOISE_FIELDS, SHAPES, SIZE, Scene, Thing, png
from harness.data.captioned.scene_words import SCENE_WORDS
from harness.data.captioned.world import World
from harness.data.synthetic.rng import Rng

COLOURS = {
    "red": (214, 46, 42),
    "green": (40, 158, 56),
    "blue": (42, 82, 210),
    "yellow": (236, 214, 48),
    "orange": (240, 136, 32),
    "purple": (146, 58, 180),
    "white": (240, 240, 240),
    "black": (20, 20, 20),
}
JITTER = 15
"""How far each part of a colour may be from it."""
RADII = {"small": (5, 6), "large": (9, 10)}
DARKEST, LIGHTEST = 100, 150
CELL = SIZE // 2
OFF_LINE = 3
"""How far two things in a relation may be off their common line."""


def placed(rng: Rng, meaning: Meaning, for_task: bool) -> Scene:
    """A scene that shows it. One thing stands anywhere, those of a relation in line, others in a quarter each."""
    drawn = [(group, *_look(rng, group)) for group in meaning.groups]
    things = [(group, colour, radius) for group, colour, radius in drawn for _ in range(group.number)]
    radii = [radius for _, _, radius in things]
    if len(things) == 1:
        places = [(_within(rng, 0, SIZE, radii[0]), _within(rng, 0, SIZE, radii[0]))]
    elif meaning.relation != UNSAID:
        places = _in_line(rng, meaning.relation, radii)
    else:
        cells = rng.sample(((0, 0), (0, CELL), (CELL, 0), (CELL, CELL)), len(things))
        places = [
            (_within(rng, x, CELL, radius), _within(rng, y, CELL, radius))
            for (x, y), radius in zip(cells, radii, strict=True)
        ]
    half = NOISE_FIELDS // 2
    noise = (rng.index(NOISE_FIELDS), rng.index(half) + half * for_task)
    shown = tuple(
        Thing(group.kind, colour, x, y, radius) for (group, colour, radius), (x, y) in zip(things, places, strict=True)
    )
    return Scene(DARKEST + rng.index(LIGHTEST - DARKEST + 1), noise, shown)


def _look(rng: Rng, group: Group) -> tuple[tuple[int, int, int], int]:
    """The colour and the radius of a group's things."""
    red, green, blue = (part + rng.index(2 * JITTER + 1) - JITTER for part in COLOURS[group.quality])
    return (red, green, blue), rng.choice(RADII[group.manner])


def _within(rng: Rng, start: int, size: int, radius: int) -> int:
    """A place at which what reaches so far is within these pixels, and one more is free."""
    return start + radius + 1 + rng.index(size - 2 * radius - 2)


def _in_line(rng: Rng, relation: str, radii: list[int]) -> list[tuple[int, int]]:
    """Two places, the first to the left or above."""
    along = [_within(rng, CELL * half, CELL, radius) for half, radius in enumerate(radii)]
    most = max(radii) + OFF_LINE
    line = _within(rng, 0, SIZE, most)
    across = [line + rng.index(2 * OFF_LINE + 1) - OFF_LINE for _ in radii]
    pairs = zip(along, across, strict=True) if relation == "left" else zip(across, along, strict=True)
    return list(pairs)


def show(rng: Rng, meaning: Meaning, label: str, for_task: bool) -> Item:
    """The meaning as an item, drawn when its content is asked for."""
    scene = placed(rng, meaning, for_task)
    identity = f"scene:v1:{hash_json(scene)}"
    return Item(identity, label, f"generated scene '{label}'", partial(png, scene))


SCENES = World(
    name="scenes",
    modality="image",
    kinds=tuple(SHAPES),
    qualities=tuple(COLOURS),
    manners=(("small", "large"), ("small", "large")),
    relations=("left", "above"),
    group_relations=(UNSAID,),
    lexicons=SCENE_WORDS,
    show=show,
)
