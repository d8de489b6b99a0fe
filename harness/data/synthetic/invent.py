"""Events drawn at random from what the world allows, and small changes to them.

A `Scope` says from which part of the world: the usual or the away part (the mismatched genre), and whether the pair
of agent and action is one that training data may show. The held-out pairs are fixed by a hash of their keys.
"""

from __future__ import annotations

import hashlib
from functools import cache
from typing import NamedTuple

from harness.data.synthetic.concepts import (
    ACTIONS,
    ALL_ACTIONS,
    AWAY_ACTIONS,
    AWAY_KINDS,
    AWAY_MEN,
    AWAY_PLACES,
    AWAY_WOMEN,
    GENDER,
    KIND_ABOVE,
    KINDS_BELOW,
    MANNERS,
    MEN,
    OPPOSITE_MANNER,
    OPPOSITE_QUALITY,
    PLACE_ABOVE,
    PLACES,
    TIMES,
    WOMEN,
    Action,
    is_a,
    leaves,
    qualities_of,
    siblings,
)
from harness.data.synthetic.meaning import CIRCUMSTANCES, Event, Thing, relate_times
from harness.data.synthetic.rng import Rng

HELD_OUT_IN = 8
"""One in so many pairs of keys never occurs in training data."""


@cache
def held_out(first: str, second: str) -> bool:
    return hashlib.sha256(f"{first} {second}".encode()).digest()[0] % HELD_OUT_IN == 0


class Scope(NamedTuple):
    away: bool = False
    held_out: bool | None = False
    """Whether the pair of agent and action must be a held-out one; None for any, as in the unlabelled corpus."""

    @property
    def names(self) -> tuple[str, ...]:
        return _names(self.away)

    @property
    def places(self) -> tuple[str, ...]:
        return AWAY_PLACES if self.away else PLACES


@cache
def _names(away: bool) -> tuple[str, ...]:
    return tuple(AWAY_WOMEN + AWAY_MEN if away else WOMEN + MEN)


@cache
def person_named(name: str) -> Thing:
    return Thing("woman" if name in WOMEN or name in AWAY_WOMEN else "man", name)


@cache
def fillers(kinds: tuple[str, ...], away: bool) -> tuple[Thing, ...]:
    """The specific kinds and, for people, the names that may fill a role; of people as many names as kinds."""
    things = []
    for kind in kinds:
        if kind in ("person", "adult_name"):
            things += [person_named(name) for name in _names(away)]
        if kind == "adult_name":
            continue
        leaves_of_kind = [Thing(leaf) for leaf in leaves(kind)]
        things += [thing for thing in leaves_of_kind if (thing.kind in AWAY_KINDS) == away] or leaves_of_kind
    return tuple(things)


@cache
def agents(action: str, scope: Scope) -> tuple[Thing, ...]:
    able = fillers(ALL_ACTIONS[action].agent, scope.away)
    if scope.held_out is None:
        return able
    return tuple(thing for thing in able if held_out(thing.key, action) == scope.held_out)


@cache
def actions(scope: Scope, transitive: bool | None = None) -> tuple[str, ...]:
    """The actions of a scope; those of the away part three times, so that they make up some half."""
    known = (*ACTIONS, *(list(AWAY_ACTIONS) * 3 if scope.away else ()))
    wanted = [key for key in known if transitive is None or bool(ALL_ACTIONS[key].patient) == transitive]
    return tuple(key for key in wanted if agents(key, scope))


def combination(event: Event) -> tuple[str, str]:
    assert event.agent is not None
    return event.agent.key, event.action


def _dressed(rng: Rng, thing: Thing, quality: float) -> Thing:
    if thing.name:
        return thing
    return thing._replace(quality=rng.choice(qualities_of(thing.kind)), definite=True) if rng.chance(quality) else thing


def patient_for(rng: Rng, action: Action, scope: Scope, other_than: tuple[Thing | None, ...]) -> Thing:
    options = fillers(action.patient, scope.away)
    taken = [thing.key for thing in other_than if thing is not None]
    for _ in range(20):
        thing = rng.choice(options)
        if thing.key not in taken:
            return thing
    raise AssertionError(f"no filler but {taken}")


def event(
    rng: Rng,
    scope: Scope,
    action: str = "",
    agent: Thing | None = None,
    quality: float = 0.25,
    circumstances: float = 0.4,
    transitive: bool | None = None,
    indefinite: float = 0.3,
) -> Event:
    """An event; `quality` and `circumstances` are the probabilities of each quality and each of place, time, manner."""
    key = action or rng.choice(actions(scope, transitive))
    frame = ALL_ACTIONS[key]
    doer = agent or _dressed(rng, rng.choice(agents(key, scope)), quality)
    patient = partner = None
    if frame.patient:
        patient = _dressed(rng, patient_for(rng, frame, scope, (doer,)), quality)
        if not patient.name and not is_a(patient.kind, "person") and rng.chance(indefinite):
            patient = patient._replace(definite=False)
    if frame.partner:
        partner = _dressed(
            rng, patient_for(rng, frame._replace(patient=frame.partner), scope, (doer, patient)), quality / 2
        )
    return Event(
        key,
        doer,
        patient,
        partner,
        rng.choice(scope.places) if "place" in CIRCUMSTANCES_OF[key] and rng.chance(circumstances) else "",
        rng.choice(TIMES) if "time" in CIRCUMSTANCES_OF[key] and rng.chance(circumstances) else "",
        rng.choice(MANNERS) if "manner" in CIRCUMSTANCES_OF[key] and rng.chance(circumstances / 2) else "",
    )


_WITHOUT = {
    "place": "employ love hate trust distrust arrive leave open close board send ship load unload steer accept refuse "
    "call visit build destroy",
    "time": "love hate trust distrust",
    "manner": "employ meet marry love hate trust distrust beat find lose sleep doze write board destroy damage arrive "
    "leave steal shout whisper sprint stroll devour rest wait swim giggle boast apologize send ship",
}
CIRCUMSTANCES_OF: dict[str, tuple[str, ...]] = {
    key: tuple(role for role in CIRCUMSTANCES if key not in _WITHOUT[role].split()) for key in ALL_ACTIONS
}
"""Which circumstances go with an action without sounding odd."""


def narrower_kind(rng: Rng, thing: Thing, scope: Scope) -> Thing | None:
    below = KINDS_BELOW.get(thing.kind)
    if thing.name:
        return None
    if thing.kind in ("man", "woman") and not thing.quality and not thing.plural:
        return person_named(rng.choice([name for name in scope.names if person_named(name).kind == thing.kind]))
    return thing._replace(kind=rng.choice(below.split())) if below else None


def wider_kind(rng: Rng, thing: Thing, definite: bool = True) -> Thing | None:
    if thing.name:
        return Thing(thing.kind, definite=definite)
    above = [kind for kind in KIND_ABOVE[thing.kind] if kind not in ("thing", "opening", "proposal")]
    return thing._replace(kind=rng.choice(above)) if above else None


def other_kind(rng: Rng, thing: Thing, scope: Scope) -> Thing | None:
    """Another of the same sort: another name, another kind beside it."""
    if thing.name:
        return person_named(rng.choice([name for name in scope.names if name != thing.name]))
    beside = [kind for kind in siblings(thing.kind) if (kind in GENDER) == (thing.kind in GENDER)]
    return thing._replace(kind=rng.choice(beside)) if beside else None


def opposite_quality(thing: Thing) -> Thing | None:
    opposite = OPPOSITE_QUALITY.get(thing.quality)
    return thing._replace(quality=opposite) if opposite else None


def other_place(rng: Rng, place: str, scope: Scope) -> str:
    options = [other for other in scope.places if other != place and place not in PLACE_ABOVE[other]]
    return rng.choice(options)


def other_time(rng: Rng, time: str) -> str:
    options = [other for other in TIMES if relate_times(time, other) >= 4]
    return rng.choice(options)


def other_manner(manner: str) -> str:
    return OPPOSITE_MANNER[manner]
