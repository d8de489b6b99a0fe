"""Small classification tasks of one family each: what a sentence says of one aspect of what happened.

A family is an aspect and a domain of its values: who did it (people by name, people by what they are, animals), whom or
what it was done to (these, what is made), where, when, how, what was done, or what a review is about. A task of it has
two to four classes, each of one to three of these values; its sentences are events of the world, or reviews, in which
all else is as it comes. Tasks are drawn by a hash of their names, so that there can be many, and have no noise.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from harness.data.synthetic.concepts import ACTIONS, FREE_TIMES, MANNERS, MEN, PLACES_BELOW, TIMES, WOMEN, is_a, listed
from harness.data.synthetic.english import say
from harness.data.synthetic.invent import Scope, combination, event
from harness.data.synthetic.meaning import Event, Thing
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row, Shape
from harness.data.synthetic.sentiment import ASPECTS, review

TRIES = 4000
"""Events that are drawn for a row of a class, at most."""
SIZES = {"train": 240, "dev": 240}
CLASSES, VALUES = (2, 3, 4), (1, 2, 3)


class Family(NamedTuple):
    """An aspect: its values, and which of them an event has; reviews have none, and are drawn by their value."""

    values: tuple[str, ...]
    of: Callable[[Event], str] | None


def _kind(thing: Thing | None, kinds: tuple[str, ...]) -> str:
    if thing is None:
        return ""
    return thing.name or next((kind for kind in kinds if is_a(thing.kind, kind)), "")


_NAMES = (*WOMEN, *MEN)
_WORKING = listed(
    "farmer baker gardener tailor builder painter singer poet teacher student professor doctor judge mayor pupil"
)
_ANIMALS = listed("dog horse bird cat fish sheep")
_MADE = listed("vehicle tool instrument garment furniture document artwork structure")
_OUTDOORS, _INDOORS = (listed(PLACES_BELOW[place]) for place in ("outdoors", "indoors"))
_MONTHS, _DAYS = tuple(time for time in TIMES if time not in FREE_TIMES), FREE_TIMES
_ALONE = tuple(action for action, frame in ACTIONS.items() if not frame.wider and not frame.patient)
_DONE = tuple(action for action, frame in ACTIONS.items() if not frame.wider and frame.patient)


def _agent(happened: Event) -> str:
    return _kind(happened.agent, (*_WORKING, *_ANIMALS))


def _patient(happened: Event) -> str:
    return _kind(happened.patient, (*_WORKING, *_ANIMALS, *_MADE))


TOPICS = re.compile(r"topics-([a-z]+-?[a-z]+)-([0-9]{1,4})")
"""The name of a task: its family and its number."""
FAMILIES = {
    "who-named": Family(_NAMES, _agent),
    "who-working": Family(_WORKING, _agent),
    "who-animals": Family(_ANIMALS, _agent),
    "whom-named": Family(_NAMES, _patient),
    "whom-working": Family(_WORKING, _patient),
    "what-animals": Family(_ANIMALS, _patient),
    "what-made": Family(_MADE, _patient),
    "where-outdoors": Family(_OUTDOORS, lambda happened: happened.place),
    "where-indoors": Family(_INDOORS, lambda happened: happened.place),
    "when-months": Family(_MONTHS, lambda happened: happened.time),
    "when-days": Family(_DAYS, lambda happened: happened.time),
    "how": Family(MANNERS, lambda happened: happened.manner),
    "action-alone": Family(_ALONE, lambda happened: happened.action),
    "action-done": Family(_DONE, lambda happened: happened.action),
    "subject": Family(tuple(ASPECTS), None),
}


def topic_of(name: str) -> tuple[str, int] | None:
    """The family and the number of a task of that name; None where it is none."""
    named = TOPICS.fullmatch(name)
    return (named[1], int(named[2])) if named is not None and named[1] in FAMILIES else None


def classes_of(family: str, number: int) -> dict[str, tuple[str, ...]]:
    """The classes of a task by what they are called, and the values of each."""
    rng = Rng(f"topics:{family}:{number}")
    values = FAMILIES[family].values
    count = rng.choice(CLASSES)
    size = min(rng.choice(VALUES), len(values) // count)
    drawn = rng.sample(values, count * size)
    groups = [tuple(drawn[start : start + size]) for start in range(0, count * size, size)]
    return {"-".join(group): group for group in groups}


def shape_of(family: str, number: int) -> Shape:
    """How a task is drawn."""
    classes = classes_of(family, number)

    def make(rng: Rng, scope: Scope, label: str) -> Row | None:
        return _row(rng, scope, FAMILIES[family], label, classes[label])

    return Shape(("text",), tuple(classes), SIZES, make, 0.0)


def _row(rng: Rng, scope: Scope, family: Family, label: str, values: tuple[str, ...]) -> Row | None:
    if family.of is None:
        made = review(rng, scope, rng.choice(values), rng.choice(("positive", "negative")))
        return made._replace(truth=label)
    wanted = rng.choice(values)
    for _ in range(TRIES):
        action = wanted if wanted in ACTIONS else ""
        happened = event(rng, scope, action=action, circumstances=0.6)
        if family.of(happened) == wanted:
            return Row((say(rng, happened, 0.3),), label, (combination(happened),))
    return None
