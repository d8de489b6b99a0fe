"""Meanings and their truth conditions: a label of an inference task is `verdict(premise, hypothesis)`.

Convention: premise and hypothesis speak of one situation. So a role that the two fill with what cannot be the same
(two people, two months, a dog and a cat, tall and short) is a contradiction, and what the premise leaves open is
neutral. People have one profession; a name tells man or woman. Participants are those of the situation, so a denial
is not about them: `the cruel judge did not sleep` entails `the judge did not sleep`, but not the other way round.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.data.synthetic.concepts import (
    ALL_ACTIONS,
    COLOURS,
    GENDER,
    KIND_ABOVE,
    OPPOSITE_MANNER,
    OPPOSITE_QUALITY,
    PLACE_ABOVE,
    TIME_ABOVE,
)

EQUAL, WIDER, NARROWER, LOOSE, OPPOSED, UNRELATED = 0, 1, 2, 3, 4, 8
"""How what the hypothesis says stands to what the premise says; bits, so that those of several roles combine by `|`."""

ENTAILMENT, NEUTRAL, CONTRADICTION = "entailment", "neutral", "contradiction"

MANY = 99
COUNTS: dict[str, tuple[int, int]] = {
    "one": (1, 1),
    "two": (2, 2),
    "three": (3, 3),
    "four": (4, 4),
    "five": (5, 5),
    "six": (6, 6),
    "some": (2, MANY),
    "exactly_two": (2, 2),
    "exactly_three": (3, 3),
    "exactly_four": (4, 4),
    "exactly_five": (5, 5),
    "exactly_six": (6, 6),
    "at_least_three": (3, MANY),
    "more_than_four": (5, MANY),
    "at_most_three": (0, 3),
    "fewer_than_five": (0, 4),
}
"""How many a count allows, from and to."""


class Thing(NamedTuple):
    """One or more of a kind; a person with a name has kind `woman` or `man`."""

    kind: str
    name: str = ""
    quality: str = ""
    number: str = "one"
    definite: bool = True

    @property
    def key(self) -> str:
        """What it is in a combination: the name, else the kind."""
        return self.name or self.kind

    @property
    def plural(self) -> bool:
        return self.number != "one"


class Event(NamedTuple):
    action: str
    agent: Thing | None = None
    patient: Thing | None = None
    partner: Thing | None = None
    place: str = ""
    time: str = ""
    manner: str = ""
    negated: bool = False
    tense: str = "past"

    def having(self, role: str, filler: Thing | str | None) -> Event:
        changed: dict[str, Any] = {role: filler}
        return self._replace(**changed)


class State(NamedTuple):
    """A thing has a quality."""

    thing: Thing
    quality: str
    negated: bool = False


Meaning = Event | State
PARTICIPANTS = ("agent", "patient", "partner")
CIRCUMSTANCES = ("place", "time", "manner")


def relate_kinds(premise: Thing, hypothesis: Thing) -> int:
    kind, other = premise.kind, hypothesis.kind
    if premise.name and hypothesis.name:
        return EQUAL if premise.name == hypothesis.name else OPPOSED
    if kind == other:
        return WIDER if premise.name else NARROWER if hypothesis.name else EQUAL
    if other in KIND_ABOVE[kind]:
        return LOOSE if hypothesis.name else WIDER
    if kind in KIND_ABOVE[other]:
        return LOOSE if premise.name else NARROWER
    if "person" in KIND_ABOVE[kind] and "person" in KIND_ABOVE[other] and (kind in GENDER) != (other in GENDER):
        return LOOSE
    return OPPOSED


def relate_qualities(premise: str, hypothesis: str) -> int:
    if premise == hypothesis:
        return EQUAL
    if not hypothesis:
        return WIDER
    if not premise:
        return NARROWER
    exclusive = OPPOSITE_QUALITY.get(premise) == hypothesis or (premise in COLOURS and hypothesis in COLOURS)
    return OPPOSED if exclusive else LOOSE


def relate_counts(premise: str, hypothesis: str) -> int:
    if premise == hypothesis:
        return EQUAL
    (low, high), (low_of_other, high_of_other) = COUNTS[premise], COUNTS[hypothesis]
    if high < low_of_other or high_of_other < low:
        return OPPOSED
    within = low_of_other <= low and high <= high_of_other
    return WIDER if within else NARROWER if low <= low_of_other and high_of_other <= high else LOOSE


def relate_things(premise: Thing | None, hypothesis: Thing | None) -> int:
    if premise is None or hypothesis is None:
        return EQUAL if premise is hypothesis else WIDER if hypothesis is None else NARROWER
    return (
        relate_kinds(premise, hypothesis)
        | relate_qualities(premise.quality, hypothesis.quality)
        | relate_counts(premise.number, hypothesis.number)
    )


def _relate_in(above: dict[str, tuple[str, ...]], premise: str, hypothesis: str) -> int:
    if premise == hypothesis:
        return EQUAL
    if not premise or not hypothesis:
        return NARROWER if hypothesis else WIDER
    if hypothesis in above[premise]:
        return WIDER
    return NARROWER if premise in above[hypothesis] else OPPOSED


def relate_places(premise: str, hypothesis: str) -> int:
    return _relate_in(PLACE_ABOVE, premise, hypothesis)


def relate_times(premise: str, hypothesis: str) -> int:
    """A weekday and a month say nothing of one another."""
    relation = _relate_in(TIME_ABOVE, premise, hypothesis)
    return LOOSE if relation == OPPOSED and _is_weekday(premise) != _is_weekday(hypothesis) else relation


def _is_weekday(time: str) -> bool:
    return time.endswith("day")


def relate_manners(premise: str, hypothesis: str) -> int:
    if premise == hypothesis:
        return EQUAL
    if not premise or not hypothesis:
        return NARROWER if hypothesis else WIDER
    return OPPOSED if OPPOSITE_MANNER[premise] == hypothesis else LOOSE


def relate_actions(premise: str, hypothesis: str) -> int:
    if premise == hypothesis:
        return EQUAL
    if hypothesis in actions_above(premise):
        return WIDER
    if premise in actions_above(hypothesis):
        return NARROWER
    excluded = [ALL_ACTIONS[action].opposite for action in (premise, *actions_above(premise))]
    return OPPOSED if any(up in excluded for up in (hypothesis, *actions_above(hypothesis))) else UNRELATED


def actions_above(action: str) -> tuple[str, ...]:
    chain, up = [], ALL_ACTIONS[action].wider
    while up:
        chain.append(up)
        up = ALL_ACTIONS[up].wider
    return tuple(chain)


def relate_events(premise: Event, hypothesis: Event) -> int:
    """The relation of the two without their negations."""
    return relate_participants(premise, hypothesis) | relate_happenings(premise, hypothesis)


def relate_happenings(premise: Event, hypothesis: Event) -> int:
    """The relation of what happened: the action, its circumstances, and whether somebody took part at all."""
    relation = (
        relate_actions(premise.action, hypothesis.action)
        | relate_places(premise.place, hypothesis.place)
        | relate_times(premise.time, hypothesis.time)
        | relate_manners(premise.manner, hypothesis.manner)
        | (EQUAL if premise.tense == hypothesis.tense else LOOSE)
    )
    for thing, other in zip(premise[1:4], hypothesis[1:4], strict=True):
        if thing is None or other is None:
            relation |= relate_things(thing, other)
    return relation


def relate_participants(premise: Event, hypothesis: Event) -> int:
    """The relation of the participants that both name."""
    agents, patients = (premise.agent, hypothesis.agent), (premise.patient, hypothesis.patient)
    straight = _relate_named(*agents) | _relate_named(*patients)
    if ALL_ACTIONS[premise.action].symmetric:
        crossed = _relate_named(agents[0], patients[1]) | _relate_named(patients[0], agents[1])
        straight = min(straight, crossed)
    elif not entails(straight) and _changed_roles(premise, hypothesis):
        return OPPOSED
    return straight | _relate_named(premise.partner, hypothesis.partner)


def _changed_roles(premise: Event, hypothesis: Event) -> bool:
    """Each of two people does in one what the other does in the other."""
    others = [event.patient if event.partner is None else event.partner for event in (premise, hypothesis)]
    if None in (premise.agent, hypothesis.agent, *others):
        return False
    return entails(relate_things(premise.agent, others[1])) and entails(relate_things(others[0], hypothesis.agent))


def _relate_named(premise: Thing | None, hypothesis: Thing | None) -> int:
    return EQUAL if premise is None or hypothesis is None else relate_things(premise, hypothesis)


def relate_states(premise: Meaning, hypothesis: State) -> int:
    """A premise event tells the qualities of its participants."""
    if isinstance(premise, State):
        return relate_kinds(premise.thing, hypothesis.thing) | relate_qualities(premise.quality, hypothesis.quality)
    best = UNRELATED
    for thing in (premise.agent, premise.patient, premise.partner):
        if thing is not None and relate_kinds(thing, hypothesis.thing) in (EQUAL, WIDER):
            best = min(best, relate_qualities(thing.quality, hypothesis.quality))
    return best


def entails(relation: int) -> bool:
    return relation in (EQUAL, WIDER)


def excludes(relation: int) -> bool:
    return bool(relation & OPPOSED) and not relation & UNRELATED


def verdict(premise: Meaning, hypothesis: Meaning) -> str:
    """Whether the hypothesis follows from the premise, is excluded by it, or neither."""
    if isinstance(premise, State) and isinstance(hypothesis, Event):
        return NEUTRAL
    if isinstance(hypothesis, State):
        relation = relate_states(premise, hypothesis)
        if isinstance(premise, State) and premise.negated:
            return _of_denied(relation in (EQUAL, NARROWER), hypothesis)
    else:
        assert isinstance(premise, Event)
        relation = relate_events(premise, hypothesis)
        if premise.negated:
            same_people = entails(relate_participants(premise, hypothesis))
            within = relate_happenings(premise, hypothesis) in (EQUAL, NARROWER)
            return _of_denied(same_people and within, hypothesis)
    if entails(relation):
        return CONTRADICTION if hypothesis.negated else ENTAILMENT
    if excludes(relation):
        return ENTAILMENT if hypothesis.negated else CONTRADICTION
    return NEUTRAL


def _of_denied(covered: bool, hypothesis: Meaning) -> str:
    """The verdict where the premise is denied, and whether what it denies covers the hypothesis."""
    if not covered:
        return NEUTRAL
    return ENTAILMENT if hypothesis.negated else CONTRADICTION


def equivalent(event: Event, other: Event) -> bool:
    return verdict(event, other) == verdict(other, event) == ENTAILMENT
