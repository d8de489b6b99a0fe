"""The world of motions: one or two of the shapes of scenes, each moving left, right, up or down.

A motion and its opposite have the very same frames, in the opposite order: what does not look at their order tells
neither left from right nor up from down.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from io import BytesIO
from typing import NamedTuple

from harness.core.hashing import hash_json
from harness.core.items import Item
from harness.core.packages import require_packages
from harness.data.captioned.meaning import UNSAID, Group, Meaning
from harness.data.captioned.pixels import NOISE_FIELDS, SHAPES, SIZE, Scene, Thing, pixels
from harness.data.captioned.scene_words import SCENE_WORDS
from harness.data.captioned.scenes import COLOURS, DARKEST, JITTER, LIGHTEST, RADII
from harness.data.captioned.world import PAIR, SINGLE, World
from harness.data.synthetic.rng import Rng

FRAMES = 8
MILLISECONDS = 100
"""How long a frame lasts."""
LEAST_TRAVEL = 8
"""Pixels: no frame is like the one before."""
DIRECTIONS = ("left", "right", "up", "down")
SIDEWAYS, BACKWARDS = ("left", "right"), ("left", "up")


class Moving(NamedTuple):
    """A thing, how far it moves to the right or down, and whether it moves the other way round."""

    thing: Thing
    right: int
    down: int
    backwards: bool


class Motion(NamedTuple):
    """A ground with one of the noises, and what moves on it."""

    ground: int
    noise: tuple[int, int]
    moving: tuple[Moving, ...]


def placed(rng: Rng, meaning: Meaning, for_task: bool) -> Motion:
    """A motion that shows it; two things move in a half each."""
    half = SIZE // 2
    halves = (((0, 0, half, SIZE), (half, 0, half, SIZE)), ((0, 0, SIZE, half), (0, half, SIZE, half)))
    regions = rng.choice(halves) if len(meaning.groups) > 1 else ((0, 0, SIZE, SIZE),)
    sizes = ("small",) if len(meaning.groups) > 1 else ("small", "large")
    moving = tuple(
        _moving(rng, group, region, rng.choice(RADII[rng.choice(sizes)]))
        for group, region in zip(meaning.groups, regions, strict=True)
    )
    fields = NOISE_FIELDS // 2
    noise = (rng.index(NOISE_FIELDS), rng.index(fields) + fields * for_task)
    return Motion(DARKEST + rng.index(LIGHTEST - DARKEST + 1), noise, moving)


def _moving(rng: Rng, group: Group, region: tuple[int, int, int, int], radius: int) -> Moving:
    left, top, width, height = region
    red, green, blue = (part + rng.index(2 * JITTER + 1) - JITTER for part in COLOURS[group.quality])
    room = [size - 2 * radius - 2 for size in (width, height)]
    along = 0 if group.manner in SIDEWAYS else 1
    travel = LEAST_TRAVEL + rng.index(room[along] - LEAST_TRAVEL)
    room[along] -= travel
    x, y = (start + radius + 1 + rng.index(free) for start, free in zip((left, top), room, strict=True))
    thing = Thing(group.kind, (red, green, blue), x, y, radius)
    right, down = (travel, 0) if along == 0 else (0, travel)
    return Moving(thing, right, down, group.manner in BACKWARDS)


def frames(motion: Motion) -> list[Scene]:
    """The scenes one after the other."""
    scenes = []
    for number in range(FRAMES):
        things = []
        for thing, right, down, backwards in motion.moving:
            step = FRAMES - 1 - number if backwards else number
            x, y = (start + way * step // (FRAMES - 1) for start, way in ((thing.x, right), (thing.y, down)))
            things.append(thing._replace(x=x, y=y))
        scenes.append(Scene(motion.ground, motion.noise, tuple(things)))
    return scenes


def apng(motion: Motion) -> bytes:
    """The motion as a file. Raises HarnessError where Pillow is missing."""
    require_packages("PIL", extra="image")
    from PIL import Image

    first, *others = (Image.fromarray(pixels(scene)) for scene in frames(motion))
    file = BytesIO()
    first.save(file, "png", save_all=True, append_images=others, duration=MILLISECONDS, compress_level=1)
    return file.getvalue()


def show(rng: Rng, meaning: Meaning, label: str, for_task: bool) -> Item:
    """The meaning as an item, drawn when its content is asked for."""
    motion = placed(rng, meaning, for_task)
    return Item(f"motion:v1:{hash_json(motion)}", label, f"generated motion '{label}'", partial(apng, motion))


_WORDS = {
    "en": {"left": "moving left", "right": "moving right", "up": "moving up", "down": "moving down"},
    "fr": {
        "left": "allant_vers_la_gauche",
        "right": "allant_vers_la_droite",
        "up": "montant",
        "down": "descendant",
    },
    "zh": {"left": "向左移动的", "right": "向右移动的", "up": "向上移动的", "down": "向下移动的"},
}
_FRAMES = {"en": ("a video of {0}",), "fr": ("une vidéo de {0}",), "zh": ("视频中有{0}",)}

MOTIONS = World(
    name="motions",
    modality="video",
    kinds=tuple(SHAPES),
    qualities=tuple(COLOURS),
    manners=(DIRECTIONS, DIRECTIONS),
    relations=(UNSAID,),
    group_relations=(UNSAID,),
    lexicons={
        language: replace(
            lexicon,
            adjectives={**lexicon.adjectives, **_WORDS[language]},
            after=frozenset(DIRECTIONS),
            qualities_first=False,
            frames=_FRAMES[language],
        )
        for language, lexicon in SCENE_WORDS.items()
    },
    show=show,
    forms=(SINGLE, PAIR),
    retrieved=(SINGLE, PAIR, PAIR, PAIR, PAIR),
)
