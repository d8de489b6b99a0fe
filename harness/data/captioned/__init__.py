"""Generated worlds of scenes, sounds and motions, with captions by one grammar in English, French and Chinese.

Of a caption is known of which items it is true, so that it is known how well anything can retrieve (`ceilings`). One in
eight combinations of scenes, one in five of sounds, is held out of corpora and training splits (`world`).
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.core.errors import HarnessError, unknown
from harness.core.items import Item
from harness.data.captioned.grammar import LANGUAGES
from harness.data.captioned.motions import MOTIONS
from harness.data.captioned.scenes import SCENES
from harness.data.captioned.sounds import SOUNDS
from harness.data.captioned.tasks import TEMPLATES, VERSION, Splits
from harness.data.captioned.world import VAGUE, World, describe
from harness.data.synthetic.rng import Rng

__all__ = ["LANGUAGES", "TEMPLATES", "VERSION", "WORLDS", "build", "pairs"]

WORLDS: dict[str, World] = {world.modality: world for world in (SCENES, SOUNDS, MOTIONS)}
"""The worlds by modality."""


def build(template: str) -> Splits:
    """The splits of a task of this template, each with its columns: `id`, `image`, `audio` or `video` (items), and
    `label`, `text`, or `good` and `bad`.
    """
    return TEMPLATES[template]()


def pairs(modality: str, language: str, size: int) -> Iterator[tuple[Item, str]]:
    """So many items, each with one caption: in the language, or, where that is empty, in any of them.

    Raises:
        HarnessError: there is no world of that modality, or no such language.
    """
    if modality not in WORLDS:
        raise HarnessError(f"the synthetic worlds have no {modality}; they have {', '.join(WORLDS)}")
    if language and language not in LANGUAGES:
        raise unknown("language of the synthetic worlds", language, LANGUAGES)
    return _pairs(WORLDS[modality], language, size)


def _pairs(world: World, language: str, size: int) -> Iterator[tuple[Item, str]]:
    rng = Rng(f"{VERSION}:{world.name}:corpus:{language}")
    for _ in range(size):
        meaning = world.seen(rng)
        description = describe(rng, meaning, VAGUE)
        item = world.item(rng, meaning, for_task=False)
        yield item, world.caption(rng, language or rng.choice(LANGUAGES), description)
