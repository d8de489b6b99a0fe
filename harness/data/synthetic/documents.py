"""Unlabelled text about the same world: short documents whose sentences tell the same thing in several ways.

A document follows one of a few patterns. What they hold that the tasks need: the same event by its synonyms, its
passive and its converse verb; what follows from it by wider words; questions with their answers; kinds and opposites;
reasons with who is meant spelled out; quantities; reviews. Labels and rows of the tasks are not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from harness.data.synthetic import coreference, phenomena, sentiment
from harness.data.synthetic.changes import drop, generalize
from harness.data.synthetic.concepts import (
    ALL_ACTIONS,
    KIND_ABOVE,
    KINDS_BELOW,
    OPPOSITE_QUALITY,
    is_a,
    leaves,
    qualities_of,
)
from harness.data.synthetic.english import (
    ask,
    clause,
    gender_of,
    kind_statement,
    plan,
    predication,
    quality_word,
    say,
    text,
)
from harness.data.synthetic.english_words import article, noun_words, plural
from harness.data.synthetic.invent import Scope, actions, event
from harness.data.synthetic.meaning import CIRCUMSTANCES, PARTICIPANTS, Event, State, Thing, actions_above
from harness.data.synthetic.rng import Rng

AWAY_FRACTION = 0.25

Document = list[str]


def _scope(rng: Rng) -> Scope:
    return Scope(rng.chance(AWAY_FRACTION), None)


def _pronominal(rng: Rng, happened: Event) -> str:
    """The event with pronouns where English has one, in the plain order."""
    things = [(role, getattr(happened, role)) for role in PARTICIPANTS[:2]]
    pronouns = tuple(
        role
        for role, thing in things
        if thing is not None and gender_of(thing) and (role == "agent" or rng.chance(0.6))
    )
    return text(clause(rng, happened, plan(rng, happened, 1.0, pronouns)))


def retelling(rng: Rng) -> Document:
    """One event in other words, and in wider ones."""
    scope = _scope(rng)
    happened = event(rng, scope, transitive=rng.chance(0.85), circumstances=0.4, quality=0.35)
    document = [say(rng, happened, 0.4)]
    document += [say(rng, happened, 0.0) for _ in range(rng.choice((1, 2)))]
    wider: Event | None = happened
    for _ in range(rng.choice((1, 2))):
        wider = wider and (rng.choice((drop, generalize))(rng, wider, scope) or wider)
    if wider is not None and wider != happened:
        document.append(say(rng, wider, 0.3))
    for thing in (happened.agent, happened.patient):
        if thing is not None and thing.quality and rng.chance(0.6):
            opposite = OPPOSITE_QUALITY.get(thing.quality)
            bare = thing._replace(quality="", definite=True)
            denied = opposite is not None and rng.chance(0.4)
            state = State(bare, opposite if denied and opposite else thing.quality, denied)
            document.append(text(predication(rng, state, plain=False)))
    opposite_action = ALL_ACTIONS[happened.action].opposite
    if opposite_action and rng.chance(0.5):
        document.append(say(rng, happened._replace(action=opposite_action, negated=True), 0.5))
    return document


def questions(rng: Rng) -> Document:
    """An event, then questions about it with answers."""
    happened = event(rng, _scope(rng), transitive=True, circumstances=0.6)
    document = [say(rng, happened, 0.4)] if rng.chance(0.5) else []
    roles = [role for role in (*PARTICIPANTS, *CIRCUMSTANCES) if getattr(happened, role)]
    for asked in rng.sample(roles, min(2, len(roles))):
        kept = happened
        for role in CIRCUMSTANCES:
            if role != asked and rng.chance(0.6):
                kept = kept.having(role, "")
        document += [ask(rng, kept, asked, 0.3), say(rng, happened, 0.3)]
    return document


def life(rng: Rng) -> Document:
    """Several doings of one agent."""
    scope = _scope(rng)
    first = event(rng, scope, circumstances=0.4)
    assert first.agent is not None
    agent = first.agent._replace(quality="")
    document = [say(rng, first, 0.5)]
    able = [key for key in actions(scope) if any(is_a(agent.kind, kind) for kind in ALL_ACTIONS[key].agent)]
    for _ in range(rng.choice((2, 3, 4))):
        happened = event(rng, scope, rng.choice(able), agent, circumstances=0.3)
        happened = happened._replace(negated=rng.chance(0.1))
        alone = happened.patient is None or happened.patient.name
        document.append(_pronominal(rng, happened) if alone and rng.chance(0.8) else say(rng, happened, 0.3))
    return document


def present(rng: Rng) -> Document:
    """What goes on, will, or has; one or several."""
    scope = _scope(rng)
    document = []
    tense = rng.choice(("present", "future", "perfect"))
    for _ in range(rng.choice((3, 4))):
        happened = event(rng, scope, circumstances=0.25)
        happened = happened._replace(
            tense=tense, negated=rng.chance(0.2), time="" if tense == "perfect" else happened.time
        )
        for role in PARTICIPANTS[:2]:
            thing: Thing | None = getattr(happened, role)
            if thing is not None and not thing.name and rng.chance(0.4):
                happened = happened.having(role, thing._replace(number=rng.choice(("some", "two", "three", "five"))))
        document.append(say(rng, happened, 0.4))
        if rng.chance(0.6):
            document.append(_pronominal(rng, happened))
    return document


def therefore(rng: Rng) -> Document:
    """Quantities, and what follows."""
    document: Document = []
    while len(document) < 4:
        row = phenomena.any_of_them(rng, _scope(rng), "entailment")
        document += row.texts if row else ()
    return document


def sizes(rng: Rng) -> Document:
    """What fits in what."""
    document: Document = []
    while len(document) < 4:
        document += coreference.fitting(rng, "entailment").texts
    return document


_KINDS = tuple(kind for kind, above in KIND_ABOVE.items() if above and above[0] not in ("thing", "opening", "proposal"))


def kinds(rng: Rng) -> Document:
    """What is what: a kind with those above and beside it, and what holds of it therefore."""
    kind = rng.choice(_KINDS)
    document = [kind_statement(rng, kind)]
    up = KIND_ABOVE[kind][0]
    below = KINDS_BELOW[up].split()
    document += [kind_statement(rng, second) for second in rng.sample(below, min(2, len(below)))]
    first, other = rng.choice(below), rng.choice(below)
    if first != other:
        word = noun_words(other)[0]
        document.append(f"No {noun_words(first)[0]} is {article(word)} {word}.")
    document.append(f"All {plural(noun_words(kind)[0])} are {plural(noun_words(up)[0])}.")
    return document


def opposites(rng: Rng) -> Document:
    """Qualities and what they exclude, and doings and what they are part of."""
    kind = rng.choice(leaves("thing"))
    document = []
    for quality in rng.sample(
        [candidate for candidate in qualities_of(kind) if candidate in OPPOSITE_QUALITY] or ["new"], 1
    ):
        opposite = OPPOSITE_QUALITY[quality]
        thing = Thing(kind)
        document += [
            text(predication(rng, State(thing, quality), plain=False)),
            text(predication(rng, State(thing, opposite, negated=True), plain=False)),
            f"Whatever is {quality_word(rng, quality)} is not {quality_word(rng, opposite)}.",
        ]
    narrow = rng.choice([action for action in ALL_ACTIONS if actions_above(action)])
    scope = Scope(False, None)
    happened = event(rng, scope, narrow, circumstances=0.3)
    document += [say(rng, happened, 0.5), say(rng, happened._replace(action=actions_above(narrow)[0]), 0.5)]
    return document


def reasons(rng: Rng) -> Document:
    """Deeds with their reasons, and who is meant."""
    document: Document = []
    while len(document) < 4:
        drawn = coreference.explained(rng, _scope(rng))
        if drawn is not None:
            document += [drawn[0], coreference.spelled_out(rng, drawn[1], drawn[2])]
    return document


def review(rng: Rng) -> Document:
    """Opinions of one sign about one topic."""
    label = rng.choice(("positive", "negative"))
    topic = rng.choice(tuple(sentiment.ASPECTS))
    return [sentiment.review(rng, Scope(False, None), topic, label).texts[0] for _ in range(rng.choice((3, 4, 5)))]


PATTERNS: tuple[Callable[[Rng], Document], ...] = (
    retelling,
    retelling,
    retelling,
    questions,
    questions,
    life,
    present,
    kinds,
    opposites,
    reasons,
    review,
    therefore,
)
SHORTEST = 3


def document(rng: Rng, pattern: Callable[[Rng], Document]) -> Document:
    """Without a sentence twice in a row."""
    return [sentence for sentence, _ in groupby(pattern(rng))]


def documents(sentences: int, seed: str) -> Iterator[str]:
    """Documents until about so many sentences are out."""
    rng = Rng(seed)
    count = 0
    while count < sentences:
        drawn = document(rng, sizes if rng.chance(0.01) else rng.choice(PATTERNS))
        if len(drawn) < SHORTEST:
            continue
        count += len(drawn)
        yield " ".join(drawn)
