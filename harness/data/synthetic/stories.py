"""Stories: several happenings among a few people, each with others much like it, told one after another.

A name or kind stands for one being of a story, with one quality and number, so that it is always clear who is meant.
Happenings of a story share actions, people and things on purpose: to know which of them a question or a summary is
about, one must read who did what to whom.
"""

from __future__ import annotations

from functools import cache

from harness.data.synthetic.concepts import ALL_ACTIONS, GENDER, KIND_ABOVE, is_a, listed
from harness.data.synthetic.english import COMMA, Plan, Word, clause, gender_of, plan
from harness.data.synthetic.invent import Scope, actions, agents, event, fillers
from harness.data.synthetic.meaning import (
    OPPOSED,
    PARTICIPANTS,
    UNRELATED,
    Event,
    Thing,
    relate_actions,
    relate_happenings,
)
from harness.data.synthetic.rng import Rng

Cast = dict[str, Thing]
"""The beings of a story by their keys."""

ONCE_IN_A_LIFE = listed("marry employ")
GROUPS = ("two", "three", "four", "five", "six")
GROUP_FRACTION = 0.35
CIRCUMSTANCE_FRACTION = 0.6
QUALITY_FRACTION = 0.3


def _unclear(thing: Thing) -> bool:
    """`The woman` may be any of the named women."""
    return not thing.name and thing.kind in ("man", "woman")


def people_of(rng: Rng, scope: Scope, size: int) -> Cast:
    """Some with a name, some with a profession; now and then a group of one profession."""
    options = [thing for thing in fillers(("person",), scope.away) if not _unclear(thing)]
    return {thing.key: _as_group(rng, thing) for thing in rng.sample(options, size)}


def _as_group(rng: Rng, thing: Thing) -> Thing:
    return thing if thing.name or not rng.chance(GROUP_FRACTION) else thing._replace(number=rng.choice(GROUPS))


@cache
def able(key: str, scope: Scope) -> tuple[str, ...]:
    """The actions of somebody that the scope allows."""
    known = [action for action in actions(scope) if action not in ONCE_IN_A_LIFE]
    return tuple(action for action in known if any(thing.key == key for thing in agents(action, scope)))


def _fits(thing: Thing, kinds: tuple[str, ...]) -> bool:
    return any(is_a(thing.kind, kind) for kind in kinds)


def people_in(cast: Cast) -> list[Thing]:
    return [thing for thing in cast.values() if is_a(thing.kind, "person")]


def happening(
    rng: Rng, scope: Scope, cast: Cast, action: str = "", agent: Thing | None = None, patient: Thing | None = None
) -> Event | None:
    """Something done by one of the cast, to others of it or to what is new in it; None where that does not fit."""
    doer = agent or rng.choice(people_in(cast))
    possible = able(doer.key, scope)
    if not possible or (action and action not in possible):
        return None
    drawn = event(
        rng, scope, action or rng.choice(possible), doer, QUALITY_FRACTION, CIRCUMSTANCE_FRACTION, indefinite=0.0
    )
    frame = ALL_ACTIONS[drawn.action]
    if patient is not None and (patient.key == doer.key or not _fits(patient, frame.patient)):
        return None
    taken = [doer.key]
    for role, kinds in (("patient", frame.patient), ("partner", frame.partner)):
        thing: Thing | None = getattr(drawn, role)
        if thing is None:
            continue
        known = [thing for thing in cast.values() if thing.key not in taken and _fits(thing, kinds)]
        if role == "patient" and patient is not None:
            thing = patient
        elif known and rng.chance(0.6):
            thing = rng.choice(known)
        else:
            thing = cast.get(thing.key) or _as_group(rng, thing)
        if _unclear(thing) or thing.key in taken:
            return None
        taken.append(thing.key)
        drawn = drawn.having(role, thing)
    return drawn


def like(rng: Rng, scope: Scope, cast: Cast, base: Event) -> Event | None:
    """Another happening that shares some of its parts with `base`."""
    form = rng.index(5)
    if form == 0:
        other = happening(rng, scope, cast, base.action)
    elif form == 1:
        other = happening(rng, scope, cast, base.action, base.agent)
    elif form == 2:
        other = happening(rng, scope, cast, base.action, patient=base.patient)
    elif form == 3:
        other = happening(rng, scope, cast, patient=base.patient)
    else:
        person = base.patient if base.partner is None else base.partner
        if person is None or not is_a(person.kind, "person"):
            return None
        turned = base.patient if base.partner is not None else base.agent
        other = happening(rng, scope, cast, base.action, person, turned)
    return other._replace(negated=rng.chance(0.12)) if other is not None else None


def clash(happening: Event, other: Event) -> bool:
    """The two would be odd in one story: the same, one against the other, or the same thing done to a thing again."""
    if relate_actions(happening.action, other.action) & UNRELATED:
        return False
    turned = other._replace(agent=other.patient, patient=other.agent)
    readings = (other, turned) if ALL_ACTIONS[other.action].symmetric else (other,)
    if any(
        _same_people(happening, reading) and not relate_happenings(happening, reading) & OPPOSED for reading in readings
    ):
        return True
    against = relate_actions(happening.action, other.action) == OPPOSED or happening.negated or other.negated
    if against and _same_people(happening, other):
        return True
    patient = happening.patient
    return patient is not None and not is_a(patient.kind, "person") and _same(patient, other.patient)


def _same_people(happening: Event, other: Event) -> bool:
    return all(_same(getattr(happening, role), getattr(other, role)) for role in PARTICIPANTS)


def _same(thing: Thing | None, other: Thing | None) -> bool:
    return thing is None or other is None or thing.key == other.key


def story(rng: Rng, scope: Scope, cast: Cast, first: list[Event], size: int, repetition: float) -> list[Event]:
    """`first` and further happenings up to `size`; with probability `repetition` each is like an earlier one."""
    events = list(first)
    for happened in events:
        enter(cast, happened)
    for _ in range(12 * size):
        if len(events) == size:
            break
        alike = bool(events) and rng.chance(repetition)
        drawn = like(rng, scope, cast, rng.choice(events)) if alike else happening(rng, scope, cast)
        if drawn is not None and not any(clash(drawn, other) for other in events):
            enter(cast, drawn)
            events.append(drawn)
    return events


def enter(cast: Cast, happened: Event) -> None:
    for role in PARTICIPANTS:
        if (thing := getattr(happened, role)) is not None:
            cast.setdefault(thing.key, thing)


CONNECTIVES = ("later", "afterwards", "one day", "soon after that")


class Teller:
    """Tells happenings in order: a first mention may be indefinite and has its quality, later ones are shorter."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.met: set[str] = set()
        self.last: Event | None = None

    def sentence(self, happened: Event, plain: float = 0.35, connective: float = 0.0) -> list[Word]:
        spoken = happened
        for role in PARTICIPANTS:
            if (thing := getattr(happened, role)) is not None:
                spoken = spoken.having(role, self._mention(thing))
        wording = plan(self.rng, spoken, plain)
        if self._pronoun_is_clear(happened, wording) and self.rng.chance(0.7):
            wording = wording._replace(
                pronouns=("agent",), relative="" if wording.relative == "agent" else wording.relative
            )
        opening: list[Word] = []
        if self.last and not (happened.time or happened.negated or wording.front) and self.rng.chance(connective):
            opening = [Word(self.rng.choice(CONNECTIVES), "connective"), COMMA]
        self.last = happened
        return [*opening, *clause(self.rng, spoken, wording)]

    def pause(self) -> None:
        """Something else was said, so that no pronoun refers back."""
        self.last = None

    def _mention(self, thing: Thing) -> Thing:
        if thing.name:
            return thing
        if thing.kind in self.met:
            return thing._replace(quality="" if self.rng.chance(0.7) else thing.quality)
        self.met.update((thing.kind, *KIND_ABOVE[thing.kind]))
        new = self.rng.chance(0.35 if is_a(thing.kind, "person") else 0.6)
        return thing._replace(definite=not new)

    def _pronoun_is_clear(self, happened: Event, wording: Plan) -> bool:
        """The same person as in the sentence before is the subject, and nobody else can be meant."""
        agent, before = happened.agent, self.last
        if (
            agent is None
            or before is None
            or before.agent != agent
            or wording.passive
            or wording.verb.subject != "agent"
        ):
            return False
        if gender_of(agent) not in ("male", "female"):
            return False
        others = [getattr(event, role) for event in (before, happened) for role in PARTICIPANTS[1:]]
        return not any(
            thing is not None
            and is_a(thing.kind, "person")
            and GENDER.get(thing.kind, GENDER[agent.kind]) == GENDER[agent.kind]
            for thing in others
        )
