"""Questions about passages, answered by a piece of the passage, or by none.

What a question takes for granted is a meaning, and so is each happening of the passage: exactly one happening agrees
with the question and fills what it asks for, or, if it has no answer, none. Whatever happening disagrees does so in a
part that both tell, so that nobody need guess. Each passage holds at least two things of the sort that is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from harness.data.synthetic.concepts import ALL_ACTIONS, KIND_ABOVE, is_a
from harness.data.synthetic.english import Plan, Word, clause, plan, text
from harness.data.synthetic.english_words import noun_words, plural
from harness.data.synthetic.invent import CIRCUMSTANCES_OF, Scope, combination, held_out
from harness.data.synthetic.meaning import (
    CIRCUMSTANCES,
    OPPOSED,
    PARTICIPANTS,
    UNRELATED,
    Event,
    Thing,
    actions_above,
    entails,
    relate_happenings,
    relate_things,
)
from harness.data.synthetic.passages import Passage, Span, tell
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.stories import people_of, story
from harness.data.synthetic.texts import Piece, Values

KINDS = (
    ("who",) * 6 + ("what",) * 3 + ("which",) * 2 + ("where",) * 4 + ("when",) * 4 + ("how many",) * 4 + ("how",) * 2
)
UNANSWERABLE_FRACTION = 1 / 3
REPETITION = 0.65
FEWEST_WORDS, MOST_WORDS = 40, 90
QUESTIONS = (3, 4, 4, 5)
TRIES = 25


class Question(NamedTuple):
    kind: str
    text: str
    taken: Event
    """What it takes for granted: what is asked for is open."""
    asked: str
    sort: str
    """The kind of thing that may answer, where the question names one."""


def _roles_of(happened: Event, kind: str) -> list[str]:
    """The roles that a question of the kind can ask for."""
    circumstance = {"where": "place", "when": "time", "how": "manner"}.get(kind)
    if circumstance:
        return [circumstance] if getattr(happened, circumstance) else []
    things = {role: thing for role in PARTICIPANTS if (thing := getattr(happened, role)) is not None}
    if kind == "how many":
        return [role for role, thing in things.items() if thing.plural]
    if kind == "which":
        return [role for role, thing in things.items() if _sort_of(thing) and not thing.plural]
    return [role for role, thing in things.items() if is_a(thing.kind, "person") == (kind == "who")]


_TOO_WIDE = ("thing", "person", "opening", "proposal")


def _sort_of(thing: Thing) -> str:
    """The kind above it, where `which KIND` is something to ask."""
    above = KIND_ABOVE[thing.kind][0]
    return "" if thing.name or above in _TOO_WIDE else above


def _values(events: tuple[Event, ...], kind: str) -> set[str]:
    """What of the sort that the kind of question asks for is told."""
    values = [getattr(happened, role) for happened in events for role in _roles_of(happened, kind)]
    if kind == "how many":
        return {thing.number for thing in values}
    return {value.key if isinstance(value, Thing) else value for value in values}


def pose(rng: Rng, happened: Event, asked: str, kind: str) -> Question:
    """A question for a role of the event, in words of its own and leaving out some of what the event tells."""
    spoken = happened._replace(negated=False)
    for role in CIRCUMSTANCES:
        if role != asked and rng.chance(0.6):
            spoken = spoken.having(role, "")
    for role in PARTICIPANTS:
        thing: Thing | None = getattr(spoken, role)
        if thing is not None:
            spoken = spoken.having(role, _worded(rng, thing, role == "patient" and role != asked))
    if asked != "partner" and spoken.patient is not None and rng.chance(0.4):
        spoken = spoken._replace(partner=None)
    above = actions_above(spoken.action)
    if above and rng.chance(0.4):
        spoken = spoken._replace(action=above[0])
    if asked != "agent" and kind != "how many" and spoken.patient is not None and rng.chance(0.12):
        spoken = spoken._replace(agent=None)
    sort = _sort_of(getattr(spoken, asked)) if kind == "which" else ""
    thing = getattr(happened, asked) if asked in PARTICIPANTS else None
    taken = spoken.having(asked, None if thing is not None else "")
    if kind == "how many" and thing is not None:
        taken = spoken.having(asked, thing._replace(quality="", number="some"))
    return Question(kind, text(_words(rng, spoken, asked, kind, sort), "?"), taken, asked, sort)


def _worded(rng: Rng, thing: Thing, may_be_wider: bool) -> Thing:
    if thing.name:
        return thing
    above = KIND_ABOVE[thing.kind][0]
    wider = may_be_wider and above not in _TOO_WIDE and rng.chance(0.25)
    return thing._replace(
        kind=above if wider else thing.kind, quality="" if wider or rng.chance(0.6) else thing.quality, definite=True
    )


def _words(rng: Rng, spoken: Event, asked: str, kind: str, sort: str) -> list[Word]:
    wording = _plan(rng, spoken)
    if kind == "how many":
        wording = wording._replace(passive=False)
    if wording.relative == asked:
        wording = wording._replace(relative="")
    words = clause(rng, spoken, wording, asked)
    return [Word(_asking(rng, spoken, asked, kind, sort) or words[0].text, "question"), *words[1:]]


def _plan(rng: Rng, spoken: Event) -> Plan:
    """The first verb where a partner is left out, since the others are about the partner or ask for one."""
    alone = bool(ALL_ACTIONS[spoken.action].partner) and spoken.partner is None
    return plan(rng, spoken, plain=1.0 if alone else 0.2)


def _asking(rng: Rng, spoken: Event, asked: str, kind: str, sort: str) -> str:
    if kind == "when" and rng.chance(0.4):
        return "on which day" if spoken.time.endswith("day") else "in which month"
    if kind == "which":
        return f"which {noun_words(sort)[0]}"
    if kind == "how many":
        thing: Thing = getattr(spoken, asked)
        return f"how many {plural(rng.choice(noun_words(thing.kind)))}"
    return ""


def answering_roles(happened: Event, question: Question) -> list[str] | None:
    """The roles of the told event that answer the question; None where it is left to guess whether it is meant."""
    asked, taken = question.asked, question.taken
    readings = [(happened, asked)]
    if ALL_ACTIONS[happened.action].symmetric:
        turned = happened._replace(agent=happened.patient, patient=happened.agent)
        readings.append((turned, {"agent": "patient", "patient": "agent"}.get(asked, asked)))
    for reading, role in readings:
        if not _same_people(reading, taken):
            continue
        relation = relate_happenings(reading, taken)
        filler = getattr(reading, asked)
        fits = bool(filler) and (not question.sort or is_a(filler.kind, question.sort))
        if entails(relation):
            return [role] if fits and not happened.negated else []
        if not relation & (OPPOSED | UNRELATED):
            return None
    return []


def _same_people(happened: Event, taken: Event) -> bool:
    pairs = [(getattr(happened, role), getattr(taken, role)) for role in PARTICIPANTS]
    return all(
        entails(relate_things(thing, other)) for thing, other in pairs if thing is not None and other is not None
    )


def answers(events: tuple[Event, ...], question: Question) -> list[tuple[int, str]] | None:
    """The events and roles that answer the question; None where some event leaves it to guess."""
    places: list[tuple[int, str]] = []
    for number, happened in enumerate(events):
        roles = answering_roles(happened, question)
        if roles is None:
            return None
        places += [(number, role) for role in roles]
    return places


def _changed(rng: Rng, events: tuple[Event, ...], happened: Event, asked: str) -> Event | None:
    """Nearly what happened: with a part from elsewhere in the passage, the opposite, or people changing roles."""
    part = rng.choice(("agent", "patient", "patient", "partner", "place", "time", "action", "roles"))
    if part == "action":
        opposite = ALL_ACTIONS[happened.action].opposite
        return happened._replace(action=opposite) if opposite else None
    if part == "roles":
        other = "patient" if happened.partner is None else "partner"
        person: Thing | None = getattr(happened, other)
        if person is None or happened.agent is None or not is_a(person.kind, "person"):
            return None
        return happened._replace(agent=person).having(other, happened.agent)
    values = [value for event in events if (value := getattr(event, part)) and value != getattr(happened, part)]
    if part == asked or not values or not getattr(happened, part):
        return None
    value = rng.choice(values)
    frame = ALL_ACTIONS[happened.action]
    kinds: tuple[str, ...] = getattr(frame, part) if part in PARTICIPANTS else ()
    others = [thing.key for role in PARTICIPANTS if role != part and (thing := getattr(happened, role)) is not None]
    if part in PARTICIPANTS and (value.key in others or not any(is_a(value.kind, kind) for kind in kinds)):
        return None
    return happened.having(part, value)


def _untold(rng: Rng, events: tuple[Event, ...], kind: str) -> tuple[Event, str] | None:
    """An event to ask about and a role of it, of the sort that is asked for but not as the passage tells it."""
    role = {"where": "place", "when": "time", "how": "manner"}.get(kind)
    happened = rng.choice(events)
    if role and rng.chance(0.5):
        values = [value for event in events if (value := getattr(event, role))]
        if getattr(happened, role) or role not in CIRCUMSTANCES_OF[happened.action] or not values:
            return None
        return happened.having(role, rng.choice(values)), role
    roles = _roles_of(happened, kind)
    if not roles:
        return None
    role = rng.choice(roles)
    if happened.negated and rng.chance(0.5):
        return happened, role
    changed = _changed(rng, events, happened, role)
    return (changed, role) if changed is not None and role in _roles_of(changed, kind) else None


def _answerable(rng: Rng, events: tuple[Event, ...], kind: str) -> tuple[Event, str] | None:
    able = [(event, role) for event in events if not event.negated for role in _roles_of(event, kind)]
    return rng.choice(able) if able else None


def question_about(
    rng: Rng, passage: Passage, scope: Scope, kind: str, answerable: bool
) -> tuple[Question, list[tuple[int, str]]] | None:
    """A question and the event and role that answer it, if any are to; None where the draw came to nothing."""
    drawn = (_answerable if answerable else _untold)(rng, passage.events, kind)
    if drawn is None:
        return None
    question = pose(rng, *drawn, kind)
    agent = question.taken.agent
    if agent is not None and scope.held_out is False and held_out(agent.key, question.taken.action):
        return None
    places = answers(passage.events, question)
    return (question, places) if places is not None and len(places) == (1 if answerable else 0) else None


def _row(rng: Rng, passage: Passage, scope: Scope, kind: str, answerable: bool) -> Values | None:
    drawn = question_about(rng, passage, scope, kind, answerable)
    if drawn is None:
        return None
    question, places = drawn
    spans = list(_distinct(passage, *places[0], kind)) if places else []
    return {
        "context": passage.text,
        "question": question.text,
        "answers": [passage.text[span.start : span.end] for span in spans],
        "starts": [span.start for span in spans],
    }


def _distinct(passage: Passage, number: int, role: str, kind: str) -> Iterator[Span]:
    """The places of the answer, one for each way that it is worded."""
    seen: set[str] = set()
    for span in passage.spans[number][f"number-{role}" if kind == "how many" else role]:
        words = passage.text[span.start : span.end].lower()
        if words not in seen:
            seen.add(words)
            yield span


def _passage(rng: Rng, scope: Scope) -> Passage | None:
    cast = people_of(rng, scope, rng.choice((3, 4)))
    events = story(rng, scope, cast, [], rng.choice((5, 6, 6, 7, 7, 8)), REPETITION)
    passage = tell(rng, events)
    return passage if FEWEST_WORDS <= len(passage.text.split()) <= MOST_WORDS else None


def _make(rng: Rng, scope: Scope, unanswerable: float) -> Piece | None:
    passage = _passage(rng, scope)
    kinds = [kind for kind in KINDS if passage is not None and len(_values(passage.events, kind)) > 1]
    if passage is None or not kinds:
        return None
    rows: list[Values] = []
    for _ in range(rng.choice(QUESTIONS)):
        kind, answerable = rng.choice(kinds), not rng.chance(unanswerable)
        for _ in range(TRIES):
            row = _row(rng, passage, scope, kind, answerable)
            if row is not None and all(row["question"] != other["question"] for other in rows):
                rows.append(row)
                break
    return Piece(passage.text, tuple(rows), tuple(map(combination, passage.events))) if rows else None


def answerable(rng: Rng, scope: Scope) -> Piece | None:
    """Like SQuAD 1.1 (Rajpurkar et al. 2016)."""
    return _make(rng, scope, 0.0)


def with_unanswerable(rng: Rng, scope: Scope) -> Piece | None:
    """Like SQuAD 2.0 (Rajpurkar et al. 2018)."""
    return _make(rng, scope, UNANSWERABLE_FRACTION)
