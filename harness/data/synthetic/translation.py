"""English sentences with their translations: one meaning, put into words by two grammars.

The translation is that of the meaning in the perspective of the English sentence: `bought` is translated by a word for
buying though it is the same event as selling. Synonyms, the passive, order and relative clauses of the English are
not mirrored in the first reference, so that it depends on nothing that another way to say the same would change.
"""

from __future__ import annotations

from collections.abc import Callable

from harness.data.synthetic import chinese, french
from harness.data.synthetic.concepts import OPPOSITE_QUALITY, is_a, qualities_of
from harness.data.synthetic.english import Plan, clause, plan, predication, text
from harness.data.synthetic.english_words import noun_words, plural
from harness.data.synthetic.invent import Scope, combination, event, held_out, wider_kind
from harness.data.synthetic.meaning import PARTICIPANTS, Event, Meaning, State, Thing
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row, Shape, draw

SIZES = {"train": 4000, "dev": 400, "test": 400}

AWAY_FRACTION = 0.25
STATE_FRACTION = 0.12
PLAIN_FRACTION = 0.4

TENSES = ("past", "past", "past", "present", "future")
_KNOWN_MANY = ("two", "three", "four", "five", "six", "some")
_NEW_MANY = (
    *_KNOWN_MANY,
    *_KNOWN_MANY,
    *(f"exactly_{count}" for count in _KNOWN_MANY[:-1]),
    "at_least_three",
    "more_than_four",
    "at_most_three",
    "fewer_than_five",
)

Translate = Callable[[Meaning, str, bool], tuple[str, ...]]
"""The references of a meaning, given the role that is subject of the active verb and whether the source is passive."""


def _many(rng: Rng, thing: Thing, definite: bool) -> Thing:
    known = definite or rng.chance(0.4)
    return thing._replace(number=rng.choice(_KNOWN_MANY if known else _NEW_MANY), definite=known)


def happening(rng: Rng, scope: Scope) -> Event:
    """An event of some tense, denied or not, some of whose participants are many or of a wider kind.

    What is denied is told of known things only: with an indefinite it would be open what the denial covers.
    """
    happened = event(rng, scope, quality=0.35)._replace(tense=rng.choice(TENSES), negated=rng.chance(0.2))
    for role in PARTICIPANTS:
        thing: Thing | None = getattr(happened, role)
        if thing is None or thing.name:
            continue
        if happened.negated:
            thing = thing._replace(definite=True)
        if not thing.quality and rng.chance(0.1):
            thing = wider_kind(rng, thing, thing.definite) or thing
        if rng.chance(0.2):
            thing = _many(rng, thing, happened.negated)
        happened = happened.having(role, thing)
    return happened


def condition(rng: Rng, scope: Scope) -> State | None:
    """That somebody or something was of some quality; None where the drawn one has no quality of the scope."""
    happened = event(rng, scope._replace(held_out=None), quality=0.0)
    thing = rng.choice([thing for thing in (happened.agent, happened.patient) if thing is not None])
    options = [
        quality
        for quality in qualities_of(thing.kind)
        if quality in OPPOSITE_QUALITY and held_out(thing.key, quality) == scope.held_out
    ]
    if not options or is_a(thing.kind, "proposal"):
        return None
    if not thing.name and rng.chance(0.25):
        thing = _many(rng, thing, definite=True)
    return State(thing._replace(definite=True), rng.choice(options), rng.chance(0.3))


def _things(meaning: Meaning) -> list[Thing]:
    things = (meaning.thing,) if isinstance(meaning, State) else (meaning.agent, meaning.patient, meaning.partner)
    return [thing for thing in things if thing is not None]


def combinations(meaning: Meaning) -> tuple[tuple[str, str], ...]:
    """Who does what, and what is how."""
    if isinstance(meaning, State):
        return ((meaning.thing.key, meaning.quality),)
    return (combination(meaning), *((thing.key, thing.quality) for thing in _things(meaning) if thing.quality))


def counts_alike(thing: Thing) -> bool:
    """Whether English does not tell one from many, as in `the salmon`."""
    noun = noun_words(thing.kind)[0]
    return thing.definite and thing.number == "some" and plural(noun) == noun


def reads_in_two_tenses(happened: Event, wording: Plan) -> bool:
    """Whether English does not tell past from present, as in `the boys read`."""
    if wording.passive or happened.negated or happened.tense == "future":
        return False
    subject: Thing = getattr(happened, wording.verb.subject)
    return subject.plural and wording.verb.base == wording.verb.past


def _row(translate: Translate, rng: Rng, scope: Scope) -> Row | None:
    wide = scope._replace(away=rng.chance(AWAY_FRACTION))
    meaning = condition(rng, wide) if rng.chance(STATE_FRACTION) else happening(rng, wide)
    if meaning is None or any(counts_alike(thing) for thing in _things(meaning)):
        return None
    if isinstance(meaning, State):
        source = text(predication(rng, meaning, rng.chance(PLAIN_FRACTION)))
        return Row((source, *translate(meaning, "agent", False)), "", combinations(meaning))
    wording = plan(rng, meaning, PLAIN_FRACTION)
    if reads_in_two_tenses(meaning, wording):
        return None
    source = text(clause(rng, meaning, wording))
    return Row((source, *translate(meaning, wording.verb.subject, wording.passive)), "", combinations(meaning))


def shape(translate: Translate) -> Shape:
    return Shape(("source",), (), SIZES, lambda rng, scope, _: _row(translate, rng, scope), noise=0.0)


TRANSLATIONS: dict[str, Shape] = {
    "translation-fr": shape(french.references),
    "translation-zh": shape(lambda meaning, subject, _: chinese.references(meaning, subject)),
}


def build(name: str) -> dict[str, dict[str, list]]:
    """The splits with `id`, `source` and `target`, the list of references."""
    return {
        split: {
            "id": [f"{name}-{split}-{number}" for number in range(len(rows))],
            "source": [row.texts[0] for row in rows],
            "target": [list(row.texts[1:]) for row in rows],
        }
        for split, rows in draw(name, TRANSLATIONS[name]).items()
    }
