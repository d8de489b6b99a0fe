"""The world of sounds: kinds of sounds at pitches, one to four of them one after the other."""

from __future__ import annotations

from functools import partial

from harness.core.hashing import hash_json
from harness.core.items import Item
from harness.data.captioned.meaning import Group, Meaning
from harness.data.captioned.sound_words import SOUND_WORDS
from harness.data.captioned.waves import LENGTH, NOISE_FIELDS, TIMBRES, Event, Recording, wav
from harness.data.captioned.world import World
from harness.data.synthetic.rng import Rng

PITCHES = {
    "low": ((200, 250), (200, 250)),
    "medium": ((540, 660), (540, 660)),
    "high": ((1350, 1650), (1350, 1650)),
    "rising": ((250, 320), (1200, 1400)),
    "falling": ((1200, 1400), (250, 320)),
}
"""From what range a sound's first frequency is, and its last; level ones have one."""
LEVEL = ("low", "medium", "high")
SINGLE = {"short": (700, 900), "long": (2400, 2800)}
"""How many samples one sound takes."""
SEVERAL = {"quick": (480, 240), "slow": (640, 760)}
"""How many samples each of several takes, and the silence after it."""
BETWEEN = (1200, 1400)
"""The silence between two groups."""
QUIETEST, LOUDEST = 560, 1000


def placed(rng: Rng, meaning: Meaning, for_task: bool) -> Recording:
    """A recording of it: the groups one after the other, somewhere in the second."""
    tracks = [_events(rng, group) for group in meaning.groups]
    silences = [_within(rng, BETWEEN) for _ in tracks[1:]]
    lengths = [track[-1].start + track[-1].length for track in tracks]
    start = rng.index(LENGTH - sum(lengths) - sum(silences) + 1)
    events: list[Event] = []
    for track, length, silence in zip(tracks, lengths, [*silences, 0], strict=True):
        events += [event._replace(start=start + event.start) for event in track]
        start += length + silence
    half = NOISE_FIELDS // 2
    return Recording(rng.index(half) + half * for_task, tuple(events))


def _events(rng: Rng, group: Group) -> list[Event]:
    """A group's sounds, from 0 on."""
    first, last = PITCHES[group.quality]
    begins = _within(rng, first)
    ends = begins if group.quality in LEVEL else _within(rng, last)
    loudness = _within(rng, (QUIETEST, LOUDEST))
    length, silence = (_within(rng, SINGLE[group.manner]), 0) if group.number == 1 else SEVERAL[group.manner]
    starts = [number * (length + silence) for number in range(group.number)]
    return [Event(group.kind, start, length, begins, ends, loudness) for start in starts]


def _within(rng: Rng, limits: tuple[int, int]) -> int:
    low, high = limits
    return low + rng.index(high - low + 1)


def show(rng: Rng, meaning: Meaning, label: str, for_task: bool) -> Item:
    """The meaning as an item, made when its content is asked for."""
    recording = placed(rng, meaning, for_task)
    identity = f"sound:v1:{hash_json(recording)}"
    return Item(identity, label, f"generated sound '{label}'", partial(wav, recording))


SOUNDS = World(
    name="sounds",
    modality="audio",
    kinds=tuple(TIMBRES),
    qualities=tuple(PITCHES),
    manners=(("short", "long"), ("quick", "slow")),
    relations=("before",),
    group_relations=("before",),
    lexicons=SOUND_WORDS,
    show=show,
)
