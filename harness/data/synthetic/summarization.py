"""Reports of one or two main events among side remarks, and summaries that tell the main events alone.

The main event is the one that the report comes back to: it is told, and later told again in other words, shorter or
wider. What happened besides is told once. Neither comes first as a rule, both may have details of their own (when it
was, where it was, what the thing was like), and they share people and actions. So the first sentences are a fair
summary at times, but to do better one must find what is said twice although the words differ. When and where it was
may stand in a sentence of its own, which a summary puts together with what happened.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.data.synthetic import sentiment
from harness.data.synthetic.concepts import KIND_ABOVE
from harness.data.synthetic.english import COMMA, Word, clause, plan, predication, text
from harness.data.synthetic.english_words import place_words, time_words
from harness.data.synthetic.invent import Scope, combination
from harness.data.synthetic.meaning import ENTAILMENT, PARTICIPANTS, Event, State, Thing, actions_above, verdict
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.stories import Cast, Teller, clash, enter, happening, people_of, story
from harness.data.synthetic.texts import Piece

REFERENCES = 2
TWO_EVENTS_FRACTION = 0.4
REPETITION = 0.5
FEWEST_WORDS, MOST_WORDS = 60, 110
FEWEST_SENTENCES, MOST_SENTENCES = 6, 10
FEWEST_SUMMARY_WORDS, MOST_SUMMARY_WORDS = 8, 20
TRIES = 12

DETAILS = ("this happened {}", "it took place {}", "that was {}")
NOTED = ("Everybody talked about it.", "It was the talk of the town.", "People still remember it.")
UNNOTED = ("Hardly anybody noticed it.", "Nobody paid attention to it.", "People soon forgot it.")
NOTE_FRACTION = 0.15
DETAIL_FRACTION = 0.2
STATE_FRACTION = 0.2
REVIEW_FRACTION = 0.25


class Block(NamedTuple):
    """A telling and what is said right after it: where or when it was, what people made of it, what something was like.

    Without an event, a remark about something else.
    """

    event: Event | None
    detail: str = ""
    note: str = ""
    described: str = ""
    """The role of what is described."""

    @property
    def sentences(self) -> int:
        return sum(map(bool, self))


def _main_event(rng: Rng, scope: Scope, cast: Cast) -> Event | None:
    """Something done to somebody or something, at a time or place that is known."""
    drawn = happening(rng, scope, cast)
    if drawn is None or drawn.patient is None or not (drawn.place or drawn.time):
        return None
    return drawn._replace(manner="")


def _apart(rng: Rng, happened: Event) -> tuple[Event, str]:
    """The event without its time or place, and a sentence that tells it; or as it was."""
    mentioned = [role for role in ("place", "time") if getattr(happened, role)]
    if not mentioned or happened.negated or not rng.chance(DETAIL_FRACTION):
        return happened, ""
    role = rng.choice(mentioned)
    words = place_words(happened.place) if role == "place" else time_words(happened.time)
    detail = rng.choice(DETAILS).format(rng.choice(words))
    return happened.having(role, ""), detail[0].upper() + detail[1:] + "."


def _described(rng: Rng, happened: Event) -> str:
    able = [role for role in PARTICIPANTS if (thing := getattr(happened, role)) is not None and thing.quality]
    return rng.choice(able) if able and rng.chance(STATE_FRACTION) else ""


def _first_telling(rng: Rng, happened: Event, notes: tuple[str, ...]) -> Block:
    event, detail = _apart(rng, happened)
    note = rng.choice(notes) if not happened.negated and rng.chance(NOTE_FRACTION) else ""
    return Block(event, detail, note, _described(rng, happened))


def _again(rng: Rng, happened: Event) -> Block:
    """Told again, with less."""
    event = happened
    for role in ("place", "time"):
        if rng.chance(0.6):
            event = event.having(role, "")
    patient, above = event.patient, actions_above(event.action)
    if above and rng.chance(0.4):
        event = event._replace(action=above[0])
    if patient is not None and not patient.name and rng.chance(0.4) and KIND_ABOVE[patient.kind][0] in _WIDE_ENOUGH:
        event = event._replace(patient=patient._replace(kind=KIND_ABOVE[patient.kind][0], quality=""))
    if rng.chance(0.25):
        event = event._replace(agent=None)
    return Block(event, described=_described(rng, event))


_WIDE_ENOUGH = frozenset(KIND_ABOVE) - {"thing", "person", "opening", "proposal"}


def _in_order(rng: Rng, mains: list[list[Block]], minor: list[Block]) -> list[Block]:
    """All blocks in random order, but the tellings of an event in theirs, and the first ones of the main events too."""
    rest = [iter(blocks) for blocks in (*mains, minor)]
    owners = [number for number, blocks in enumerate((*mains, minor)) for _ in blocks]
    shuffled = rng.sample(owners, len(owners))
    seen = [owner for owner in dict.fromkeys(shuffled) if owner < len(mains)]
    return [next(rest[seen.index(owner) if owner < len(mains) else owner]) for owner in shuffled]


def _write(rng: Rng, blocks: list[Block]) -> list[str] | None:
    """The sentences; None where an event would be told twice in the same words."""
    teller = Teller(rng)
    sentences: list[str] = []
    for block in blocks:
        after = [sentence for sentence in (block.detail, block.note) if sentence]
        if block.event is not None:
            sentence = text(teller.sentence(block.event, plain=0.3))
            if sentence in sentences:
                return None
            sentences.append(sentence)
            if block.described:
                thing: Thing = getattr(block.event, block.described)
                state = State(thing._replace(quality="", definite=True), thing.quality)
                after.append(text(predication(rng, state, plain=False)))
        if after:
            teller.pause()
        sentences += after
    return sentences


def _reference(rng: Rng, mains: list[Event]) -> str:
    clauses: list[list[Word]] = []
    for happened in mains:
        spoken = happened
        for role in PARTICIPANTS:
            thing: Thing | None = getattr(happened, role)
            if thing is not None:
                spoken = spoken.having(role, thing._replace(quality="", definite=True))
        clauses.append(clause(rng, spoken, plan(rng, spoken, 0.3)))
    if len(clauses) > 1 and rng.chance(0.5):
        joined = clauses[0]
        for other in clauses[1:]:
            joined = [*joined, COMMA, Word("and", "conjunction"), *other]
        return text(joined)
    return " ".join(map(text, clauses))


def _references(rng: Rng, mains: list[Event]) -> list[str] | None:
    """Differently worded summaries of the wanted length; None where the words do not allow it."""
    references: list[str] = []
    for _ in range(TRIES):
        reference = _reference(rng, mains)
        fits = FEWEST_SUMMARY_WORDS <= len(reference.split()) <= MOST_SUMMARY_WORDS
        if fits and reference not in references:
            references.append(reference)
        if len(references) == REFERENCES:
            return references
    return None


def _mains(rng: Rng, scope: Scope, cast: Cast) -> list[Event] | None:
    wanted = 2 if rng.chance(TWO_EVENTS_FRACTION) else 1
    mains: list[Event] = []
    for _ in range(4 * TRIES):
        drawn = _main_event(rng, scope, cast)
        if drawn is not None and not any(clash(drawn, other) for other in mains):
            enter(cast, drawn)
            mains.append(drawn)
        if len(mains) == wanted:
            return mains
    return None


def make(rng: Rng, scope: Scope) -> Piece | None:
    cast = people_of(rng, scope, 3)
    mains = _mains(rng, scope, cast)
    references = mains and _references(rng, mains)
    if not mains or not references:
        return None
    events = story(rng, scope, cast, mains, rng.choice((6, 6, 7)), REPETITION)
    retold = 2 if len(mains) == 1 and rng.chance(0.3) else 1
    tellings = [[_first_telling(rng, main, NOTED), *(_again(rng, main) for _ in range(retold))] for main in mains]
    if any(
        _also_true_of_another(block, main, events)
        for main, blocks in zip(mains, tellings, strict=True)
        for block in blocks
    ):
        return None
    minor = [_first_telling(rng, event, UNNOTED) for event in events[len(mains) :]]
    if rng.chance(REVIEW_FRACTION):
        minor.insert(rng.index(len(minor)), _review(rng))
    room = MOST_SENTENCES - sum(block.sentences for blocks in tellings for block in blocks)
    while sum(block.sentences for block in minor) > room:
        minor.pop()
    sentences = _write(rng, _in_order(rng, tellings, minor))
    if sentences is None or len(sentences) < FEWEST_SENTENCES:
        return None
    report = " ".join(sentences)
    if not FEWEST_WORDS <= len(report.split()) <= MOST_WORDS:
        return None
    return Piece(report, ({"text": report, "summary": references},), tuple(map(combination, events)))


def _also_true_of_another(block: Block, main: Event, events: list[Event]) -> bool:
    """What is told of the main event could have been said of another."""
    event = block.event
    assert event is not None
    near = [other for other in events if other != main and event.action in (other.action, *actions_above(other.action))]
    return any(verdict(other, event) == ENTAILMENT for other in near)


def _review(rng: Rng) -> Block:
    label, topic = rng.choice(("positive", "negative")), rng.choice(tuple(sentiment.ASPECTS))
    return Block(None, note=sentiment.review(rng, Scope(held_out=False), topic, label).texts[0])
