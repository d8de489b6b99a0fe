"""Small classification tasks of one family each: what a sentence says of one aspect of what happened.

A family is an aspect and a domain of its values: who did it (people by name, people by what they are, animals), whom or
what it was done to (these, what is made), where, when, how, what was done, or what a review is about. A task of it has
two to four classes, each of one to three of these values; its sentences are events of the world, or reviews, in which
all else is as it comes. Tasks are drawn by a hash of their names, so that there can be many, and have no noise.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from harness.data.synthetic.concepts import ACTIONS, FREE_TIMES, MANNERS, MEN, PLACES_BELOW, TIMES, WOMEN, is_a, listed
from harness.data.synthetic.english import say
from harness.data.synthetic.invent import CIRCUMSTANCES_OF, Scope, actions, agents, combination, event, fillers
from harness.data.synthetic.meaning import PARTICIPANTS, Event, Thing
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row, Shape
from harness.data.synthetic.sentiment import ASPECTS, review

SIZES = {"train": 240, "dev": 240}
CLASSES, VALUES = (2, 3, 4), (1, 2, 3)


class Family(NamedTuple):
    """The values of an aspect, and the role that they fill in an event; of reviews it is what they are about."""

    values: tuple[str, ...]
    role: str


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

TOPICS = re.compile(r"topics-([a-z]+-?[a-z]+)-([0-9]{1,4})")
"""The name of a task: its family and its number."""
FAMILIES = {
    "who-named": Family(_NAMES, "agent"),
    "who-working": Family(_WORKING, "agent"),
    "who-animals": Family(listed("dog bird fish sheep"), "agent"),
    "whom-named": Family(_NAMES, "patient"),
    "whom-working": Family(_WORKING, "patient"),
    "what-animals": Family(_ANIMALS, "patient"),
    "what-made": Family(_MADE, "patient"),
    "where-outdoors": Family(_OUTDOORS, "place"),
    "where-indoors": Family(_INDOORS, "place"),
    "when-months": Family(_MONTHS, "time"),
    "when-days": Family(_DAYS, "time"),
    "how": Family(MANNERS, "manner"),
    "action-alone": Family(_ALONE, "action"),
    "action-done": Family(_DONE, "action"),
    "subject": Family(tuple(ASPECTS), "review"),
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
    classes, role = classes_of(family, number), FAMILIES[family].role

    def make(rng: Rng, scope: Scope, label: str) -> Row | None:
        value = rng.choice(classes[label])
        if role == "review":
            return review(rng, scope, value, rng.choice(("positive", "negative")))._replace(truth=label)
        happened = _happening(rng, scope, role, value)
        return None if happened is None else Row((say(rng, happened, 0.3),), label, (combination(happened),))

    return Shape(("text",), tuple(classes), SIZES, make, 0.0)


def _happening(rng: Rng, scope: Scope, role: str, value: str) -> Event | None:
    """An event in which a value fills a role; None where that came to nothing."""
    if role == "action":
        return event(rng, scope, action=value, circumstances=0.6)
    if role not in PARTICIPANTS:
        happened = event(rng, scope, circumstances=0.6)
        return happened.having(role, value) if role in CIRCUMSTANCES_OF[happened.action] else None
    action, thing = rng.choice(takers(scope, role, value))
    if role == "agent":
        return event(rng, scope, action=action, agent=thing, circumstances=0.6)
    happened = event(rng, scope, action=action, circumstances=0.6)
    others = (happened.agent, happened.partner)
    return None if thing.key in [other.key for other in others if other is not None] else happened.having(role, thing)


@cache
def takers(scope: Scope, role: str, value: str) -> tuple[tuple[str, Thing], ...]:
    """The actions in which something of that name or kind can take part, and what it is there."""
    pairs = ((action, thing) for action in actions(scope) for thing in _able(action, scope, role))
    return tuple((action, thing) for action, thing in pairs if (thing.name or thing.kind) == value or _is(thing, value))


def _able(action: str, scope: Scope, role: str) -> tuple[Thing, ...]:
    return agents(action, scope) if role == "agent" else fillers(ACTIONS[action].patient, scope.away)


def _is(thing: Thing, kind: str) -> bool:
    return not thing.name and kind not in _NAMES and is_a(thing.kind, kind)
