"""Acceptable sentences, and the same sort of sentence with one rule of grammar broken."""

from __future__ import annotations

from collections.abc import Callable

from harness.data.synthetic.concepts import listed
from harness.data.synthetic.english import Word, clause, gender_of, plan, predication, text
from harness.data.synthetic.english_words import article
from harness.data.synthetic.invent import Scope, combination, event
from harness.data.synthetic.meaning import CIRCUMSTANCES, PARTICIPANTS, Event, State, Thing
from harness.data.synthetic.rng import Rng
from harness.data.synthetic.rows import Row

Words = list[Word]
Flaw = Callable[[Rng, Words], Words | None]
TENSES = ("past", "past", "past", "present", "present", "future", "perfect")


def _positions(words: Words, *tags: str) -> list[int]:
    return [index for index, word in enumerate(words) if word.tag in tags]


def _with(words: Words, index: int, *instead: Word) -> Words:
    return [*words[:index], *instead, *words[index + 1 :]]


def wrong_form(rng: Rng, words: Words) -> Words | None:
    """A verb, auxiliary or pronoun in a form that its place forbids; of the little words rather than of the verbs."""
    little = [index for index in _positions(words, "auxiliary", "pronoun", "relative") if words[index].wrong]
    where = little or [index for index in _positions(words, "verb") if words[index].wrong]
    if not where:
        return None
    index = rng.choice(where)
    return _with(words, index, words[index]._replace(text=words[index].wrong))


def wrong_number(rng: Rng, words: Words) -> Words | None:
    """`a farmers`, `three farmer`."""
    where = [
        index
        for index in _positions(words, "noun")
        if words[index].wrong != words[index].text
        and any(
            (word.tag == "number" and word.text != "some") or word.text in ("a", "an")
            for word in words[max(0, index - 2) : index]
        )
    ]
    if not where:
        return None
    index = rng.choice(where)
    return _with(words, index, words[index]._replace(text=words[index].wrong))


def wrong_determiner(rng: Rng, words: Words) -> Words | None:
    where = [index for index in _positions(words, "determiner") if words[index].wrong]
    if not where:
        return None
    index = rng.choice(where)
    word = words[index]
    if word.text == "the" and _heads_plural(words, index):
        return None
    return _with(words, index, word._replace(text=word.wrong))


def no_determiner(rng: Rng, words: Words) -> Words | None:
    where = [index for index in _positions(words, "determiner") if not _stands_alone(words, index)]
    return _with(words, rng.choice(where)) if where else None


def _noun_of(words: Words, index: int) -> Word | None:
    return next((word for word in words[index:] if word.tag == "noun"), None)


def _heads_plural(words: Words, index: int) -> bool:
    """The noun is plural or has one form for both numbers."""
    noun = _noun_of(words, index)
    return noun is None or words[index].wrong == "a" != words[index].text[0] or noun.text == noun.wrong


def _stands_alone(words: Words, index: int) -> bool:
    """The noun does without a determiner: a plural, a substance (`ate cabbage`), a title (`Doctor`)."""
    noun = _noun_of(words, index)
    return noun is None or _heads_plural(words, index) or noun.text in _SUBSTANCES_AND_TITLES


_SUBSTANCES_AND_TITLES = listed(
    "apple pear plum cherry carrot onion cabbage cake pie pudding fruit vegetable dessert lamb oak pine birch "
    "doctor physician nurse professor judge mayor goose minister inspector"
)


def two_determiners(rng: Rng, words: Words) -> Words | None:
    where = _positions(words, "determiner")
    if not where:
        return None
    index = rng.choice(where)
    word = words[index]
    added = Word("a" if word.text == "the" else "the", "determiner")
    return _with(words, index, *((word, added) if rng.chance(0.5) else (added, word)))


def determiner_after(rng: Rng, words: Words) -> Words | None:
    """`farmer the`, and `the farmer tall`."""
    where = [
        index
        for index in _positions(words, "determiner", "adjective")
        if index + 1 < len(words) and words[index + 1].tag == "noun"
    ]
    if not where:
        return None
    index = rng.choice(where)
    return [*words[:index], words[index + 1], words[index], *words[index + 2 :]]


def verb_last(rng: Rng, words: Words) -> Words | None:
    """The main verb behind what follows it."""
    where = _positions(words, "verb")
    if not where or len(words) - where[-1] < 3:
        return None
    index = where[-1]
    if words[index + 1].tag not in ("determiner", "number", "name", "pronoun"):
        return None
    return [*words[:index], *words[index + 1 :], words[index]]


def no_preposition(rng: Rng, words: Words) -> Words | None:
    """Without the preposition of a place, a person, or an agent; months and days are left, since some do without."""
    where = [
        index
        for index in _positions(words, "preposition")
        if index + 1 < len(words) and words[index + 1].tag != "time" and words[index].text not in ("to", "from", "for")
    ]
    return _with(words, rng.choice(where)) if where else None


FLAWS: tuple[Flaw, ...] = (
    wrong_form,
    wrong_form,
    wrong_form,
    wrong_number,
    wrong_determiner,
    no_determiner,
    two_determiners,
    determiner_after,
    determiner_after,
    verb_last,
    verb_last,
    no_preposition,
)

_STRICTLY_TRANSITIVE = listed(
    "employ hug thank greet praise repair damage destroy release devour carry find examine rescue display"
)


def missing_object(rng: Rng, happened: Event) -> Words | None:
    """`The farmer praised.`"""
    if happened.action not in _STRICTLY_TRANSITIVE or happened.patient is None:
        return None
    wording = plan(rng, happened, plain=1.0)
    spoken = clause(rng, happened._replace(patient=_BLANK), wording)
    return [word for word in spoken if word.text != _BLANK.name]


_BLANK = Thing("man", "–")


def extra_object(rng: Rng, happened: Event) -> Words | None:
    """`Anna slept the apple.`"""
    if happened.patient is not None or happened.action not in _WITHOUT_OBJECT:
        return None
    words = clause(rng, happened, plan(rng, happened, plain=1.0))
    index = _positions(words, "verb")[-1]
    noun = rng.choice(_OBJECTS)
    determiner = rng.choice(("the", article(noun)))
    return [*words[: index + 1], Word(determiner, "determiner"), Word(noun, "noun"), *words[index + 1 :]]


_WITHOUT_OBJECT = listed("sleep doze laugh giggle cry sob arrive wait swim")
_OBJECTS = ("apple", "coat", "letter", "table", "hammer", "violin", "carrot", "fence", "map", "chair")


def _sentence(rng: Rng, scope: Scope) -> Event:
    happened = event(rng, scope, quality=0.25, circumstances=0.2, indefinite=0.4)
    happened = happened._replace(tense=rng.choice(TENSES), negated=rng.chance(0.15))
    if happened.tense == "perfect":
        happened = happened._replace(time="")
    for role in PARTICIPANTS[:2]:
        thing: Thing | None = getattr(happened, role)
        if thing is not None and not thing.name and rng.chance(0.3):
            happened = happened.having(role, thing._replace(number=rng.choice(("some", "two", "three", "five"))))
    return happened


def _with_pronouns(rng: Rng, happened: Event) -> tuple[str, ...]:
    things = [(role, getattr(happened, role)) for role in PARTICIPANTS]
    return tuple(role for role, thing in things if thing is not None and gender_of(thing) and rng.chance(0.25))


def make(rng: Rng, scope: Scope, label: str) -> Row | None:
    happened = _sentence(rng, scope)
    bad = label == "unacceptable"
    pronouns = _with_pronouns(rng, happened)
    form = rng.index(10)
    mark = "."
    spoken: Words | None
    if form == 0 and (thing := happened.agent) is not None and thing.quality:
        state = State(thing._replace(quality=""), thing.quality, happened.negated)
        spoken = predication(rng, state, tense="past" if happened.tense == "past" else "present")
    elif form < 3:
        roles = [role for role in (*PARTICIPANTS, *CIRCUMSTANCES) if getattr(happened, role)]
        asked = rng.choice(roles)
        wording = plan(rng, happened._replace(negated=False), 0.5, tuple(role for role in pronouns if role != asked))
        spoken, mark = clause(rng, happened._replace(negated=False), wording, asked), "?"
    elif bad and form == 3:
        spoken = missing_object(rng, happened) or extra_object(rng, happened)
        return _row(happened, spoken, mark, label) if spoken else None
    else:
        spoken = clause(rng, happened, plan(rng, happened, 0.4, pronouns))
    if bad:
        spoken = rng.choice(FLAWS)(rng, spoken)
        if spoken is None:
            return None
    return _row(happened, spoken, mark, label)


def _row(happened: Event, spoken: Words, mark: str, label: str) -> Row:
    return Row((text(spoken, mark),), label, (combination(happened),))
