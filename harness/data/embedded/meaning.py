"""Meanings and their truth conditions. A label of an inference task is `verdict(premise, hypothesis)`, never a template.

Convention: premise and hypothesis speak of one situation. So a role that the two fill with what cannot be the same
(two people, two months, a dog and a cat, tall and short) is a contradiction, and what the premise leaves open is neutral.
People have one profession; a name tells man or woman.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.data.embedded.concepts import (
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
    count: str = "one"
    definite: bool = True

    @property
    def key(self) -> str:
        """What it is in a combination: the name, else the kind."""
        return self.name or self.kind

    @property
    def plural(self) -> bool:
        return self.count != "one"


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


class State(NamedTuple):
    """A thing has a quality."""

    thing: Thing
    quality: str
    negated: bool = False


Meaning = Event | State
PARTICIPANTS = ("agent", "patient", "partner")
CIRCUMSTANCES = ("place", "time", "manner")


def relate_kinds(premise: Thing, hypothesis: Thing) -> int:
    one, other = premise.kind, hypothesis.kind
    if premise.name and hypothesis.name:
        return EQUAL if premise.name == hypothesis.name else OPPOSED
    if one == other:
        return WIDER if premise.name else NARROWER if hypothesis.name else EQUAL
    if other in KIND_ABOVE[one]:
        return LOOSE if hypothesis.name else WIDER
    if one in KIND_ABOVE[other]:
        return LOOSE if premise.name else NARROWER
    if "person" in KIND_ABOVE[one] and "person" in KIND_ABOVE[other] and (one in GENDER) != (other in GENDER):
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
        | relate_counts(premise.count, hypothesis.count)
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
    circumstances = (
        relate_actions(premise.action, hypothesis.action)
        | relate_places(premise.place, hypothesis.place)
        | relate_times(premise.time, hypothesis.time)
        | relate_manners(premise.manner, hypothesis.manner)
        | relate_things(premise.partner, hypothesis.partner)
        | (EQUAL if premise.tense == hypothesis.tense else LOOSE)
    )
    straight = relate_things(premise.agent, hypothesis.agent) | relate_things(premise.patient, hypothesis.patient)
    if ALL_ACTIONS[premise.action].symmetric:
        crossed = relate_things(premise.agent, hypothesis.patient) | relate_things(premise.patient, hypothesis.agent)
        return circumstances | min(straight, crossed)
    return circumstances | straight


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
        denied = isinstance(premise, State) and premise.negated
    else:
        assert isinstance(premise, Event)
        relation = relate_events(premise, hypothesis)
        denied = premise.negated
    if denied:
        if relation in (EQUAL, NARROWER):
            return ENTAILMENT if hypothesis.negated else CONTRADICTION
        return NEUTRAL
    if entails(relation):
        return CONTRADICTION if hypothesis.negated else ENTAILMENT
    if excludes(relation):
        return ENTAILMENT if hypothesis.negated else CONTRADICTION
    return NEUTRAL


def equivalent(one: Event, other: Event) -> bool:
    return verdict(one, other) == verdict(other, one) == ENTAILMENT
