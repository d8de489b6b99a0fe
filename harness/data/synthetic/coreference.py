"""Who is `she`? A sentence with a pronoun, and the sentence with somebody in its place.

What decides is why people do things: which quality of whom, or which deed, is a reason for an action. With `although`
a quality counts that is the opposite of a reason.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.data.synthetic.concepts import OPPOSITE_QUALITY, listed
from harness.data.synthetic.english import Plan, Word, clause, predication, text
from harness.data.synthetic.english_words import VERBS_OF
from harness.data.synthetic.invent import Scope, agents, combination, event, fillers
from harness.data.synthetic.meaning import Event, State, Thing
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row

REASONS: dict[str, dict[str, str]] = {
    "beat": {"strong": "agent", "weak": "patient", "diligent": "agent", "lazy": "patient", "clever": "agent"},
    "help": {"kind": "agent", "weak": "patient", "strong": "agent", "sad": "patient"},
    "thank": {"polite": "agent", "kind": "patient"},
    "criticize": {"lazy": "patient", "rude": "patient", "cruel": "agent", "foolish": "patient"},
    "praise": {"diligent": "patient", "brave": "patient", "clever": "patient", "polite": "agent"},
    "hug": {"sad": "patient"},
    "employ": {"rich": "agent", "diligent": "patient", "poor": "patient"},
    "lead": {"brave": "agent", "timid": "patient", "clever": "agent"},
    "teach": {"clever": "agent", "foolish": "patient", "old": "agent", "young": "patient"},
    "sell": {"poor": "agent", "rich": "partner"},
    "lend": {"kind": "agent", "poor": "partner", "rich": "agent"},
    "give": {"kind": "agent", "poor": "partner", "rich": "agent", "sad": "partner"},
    "distrust": {"nervous": "agent", "timid": "agent", "cruel": "patient", "rude": "patient"},
    "invite": {"famous": "patient", "rich": "agent", "polite": "agent"},
}
GOOD_DEEDS = ("repair", "find", "wash", "build", "cook", "paint")
BAD_DEEDS = ("damage", "lose", "steal", "destroy")
MOVED_BY_DEEDS: dict[str, tuple[tuple[str, ...], str]] = {
    "thank": (GOOD_DEEDS, "patient"),
    "praise": (GOOD_DEEDS, "patient"),
    "boast": (GOOD_DEEDS, "agent"),
    "criticize": (BAD_DEEDS, "patient"),
    "chase": (("steal",), "patient"),
    "distrust": (BAD_DEEDS, "patient"),
    "apologize": (BAD_DEEDS, "agent"),
}
CONTENTS = listed("hat scarf flute hammer statue drum map diary violin cake shirt mosaic")
CONTAINERS = listed("box bag basket suitcase drawer chest")


class Reason(NamedTuple):
    action: str
    meaning: State | Event
    """With any thing as its subject: who it is, is the question."""
    connective: str
    referent: str


def referent_of(action: str, quality: str, connective: str) -> str:
    """The role of whom a quality is a reason for an action, or of whom its opposite would be."""
    reason = quality if connective == "because" else OPPOSITE_QUALITY[quality]
    return REASONS[action][reason]


SOMEBODY = Thing("woman")


def _reason(rng: Rng, scope: Scope) -> Reason:
    if rng.chance(0.3):
        action = rng.choice(tuple(MOVED_BY_DEEDS))
        deeds, referent = MOVED_BY_DEEDS[action]
        deed = event(rng, scope, rng.choice(deeds), SOMEBODY, quality=0.0, circumstances=0.0)
        return Reason(action, deed._replace(tense="pluperfect"), "because", referent)
    action = rng.choice(tuple(REASONS))
    reason = rng.choice(tuple(REASONS[action]))
    connective = rng.choice(("because", "although"))
    quality = reason if connective == "because" else OPPOSITE_QUALITY[reason]
    return Reason(action, State(SOMEBODY, quality), connective, referent_of(action, quality, connective))


def _of(thing: Thing, meaning: State | Event) -> State | Event:
    return meaning._replace(thing=thing) if isinstance(meaning, State) else meaning._replace(agent=thing)


def _spoken(rng: Rng, meaning: State | Event, pronominal: bool) -> list[Word]:
    if isinstance(meaning, State):
        return predication(rng, meaning, pronominal=pronominal)
    return clause(
        rng, meaning, Plan(VERBS_OF[meaning.action][0], plain_words=True, pronouns=("agent",) if pronominal else ())
    )


def explained(rng: Rng, scope: Scope) -> tuple[str, Event, Reason] | None:
    """A deed of one person to another, and why, with a pronoun."""
    reason = _reason(rng, scope)
    names = [thing for thing in agents(reason.action, scope) if thing.name]
    if not names:
        return None
    first = rng.choice(names)
    others = [thing for thing in fillers(("person",), scope.away) if thing.name and thing.name != first.name]
    same = rng.chance(0.65)
    other = rng.choice([thing for thing in others if (thing.kind == first.kind) == same])
    happened = event(rng, scope, reason.action, first, quality=0.0, circumstances=0.15)
    role = "patient" if reason.referent == "patient" or happened.partner is None else "partner"
    happened = happened._replace(manner="").having(role, other)
    main = clause(rng, happened, Plan(VERBS_OF[reason.action][0], plain_words=True))
    who = first if reason.referent == "agent" else other
    because = [Word(reason.connective, ""), *_spoken(rng, _of(who, reason.meaning), pronominal=True)]
    if (reason.referent == "agent" or first.kind != other.kind) and rng.chance(0.35):
        return text([*because, Word(",", "comma"), *main]), happened, reason
    return text([*main, *because]), happened, reason


def _candidates(happened: Event, reason: Reason) -> tuple[Thing, Thing]:
    """Who is meant, and the other."""
    other = happened.patient if happened.partner is None else happened.partner
    assert happened.agent is not None
    assert other is not None
    return (happened.agent, other) if reason.referent == "agent" else (other, happened.agent)


def spelled_out(rng: Rng, happened: Event, reason: Reason) -> str:
    """The reason with who is meant in place of the pronoun."""
    return text(_spoken(rng, _of(_candidates(happened, reason)[0], reason.meaning), pronominal=False))


def make(rng: Rng, scope: Scope, label: str) -> Row | None:
    if not scope.held_out and rng.chance(0.12):
        return fitting(rng, label)
    drawn = explained(rng, scope)
    if drawn is None:
        return None
    sentence, happened, reason = drawn
    true, false = _candidates(happened, reason)
    candidate = true if label == "entailment" else false
    hypothesis = text(_spoken(rng, _of(candidate, reason.meaning), pronominal=False))
    return Row((sentence, hypothesis), label, (combination(happened),))


def fitting(rng: Rng, label: str) -> Row:
    """What does not fit is too big, or its container too small."""
    content, container = rng.choice(CONTENTS), rng.choice(CONTAINERS)
    size = rng.choice(("big", "small"))
    referent, other = (content, container) if size == "big" else (container, content)
    what = rng.choice(
        (
            f"The {content} did not fit in the {container}",
            f"Nobody could put the {content} into the {container}",
        )
    )
    hypothesis = f"The {referent if label == 'entailment' else other} was too {size}."
    return Row((f"{what} because it was too {size}.", hypothesis), label, ())
