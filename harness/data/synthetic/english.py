"""English grammar: from a meaning and a plan of how to say it to words, and from words to text.

Words keep their class and the forms that would be wrong in their place, so that what is unacceptable can be made
from what is acceptable. Another language is another module with `clause`, `predication`, `question` and `text`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.data.synthetic.concepts import GENDER, KIND_ABOVE, is_a
from harness.data.synthetic.english_words import (
    MANNER_WORDS,
    NUMBER_WORDS,
    QUALITY_WORDS,
    VERBS_OF,
    Verb,
    article,
    noun_words,
    place_words,
    plural,
    time_words,
)
from harness.data.synthetic.meaning import Event, State, Thing
from harness.data.synthetic.rng import Rng


class Word(NamedTuple):
    text: str
    tag: str
    wrong: str = ""


COMMA = Word(",", "comma")
NOT = Word("not", "not")


class Plan(NamedTuple):
    """The choices that do not change the meaning."""

    verb: Verb
    passive: bool = False
    front: str = ""
    relative: str = ""
    early_manner: bool = False
    pronouns: tuple[str, ...] = ()
    plain_words: bool = False


def plan(rng: Rng, event: Event, plain: float = 0.5, pronouns: tuple[str, ...] = ()) -> Plan:
    """A way to say the event; with probability `plain` the plain one: first verb, active, usual order, plain words."""
    verbs = VERBS_OF[event.action]
    if event.agent is None:
        passives = [verb for verb in verbs if verb.object == "patient" and verb.subject == "agent"]
        return Plan(rng.choice(passives), passive=True, pronouns=pronouns)
    if rng.chance(plain):
        return Plan(verbs[0], plain_words=True, pronouns=pronouns)
    verb = rng.choice([verb for verb in verbs if not verb.oblique or getattr(event, verb.oblique) is not None])
    passive = bool(verb.object) and verb.base != "have" and rng.chance(0.3)
    fronted = [role for role in ("place", "time") if getattr(event, role)]
    described = [
        role for role in ("agent", "patient") if (thing := getattr(event, role)) and thing.quality and not thing.name
    ]
    return Plan(
        verb,
        passive,
        rng.choice(fronted) if fronted and rng.chance(0.4) else "",
        rng.choice(described) if described and rng.chance(0.4) else "",
        bool(event.manner) and rng.chance(0.4),
        pronouns,
    )


_PRONOUNS = {"male": ("he", "him"), "female": ("she", "her"), "it": ("it", "it"), "they": ("they", "them")}


def gender_of(thing: Thing) -> str:
    """`male`, `female`, `it`, `they`, or nothing where English would need to know more."""
    if thing.plural:
        return "they"
    return GENDER.get(thing.kind) or ("" if is_a(thing.kind, "person") else "it")


def pronoun(thing: Thing, subject: bool) -> Word | None:
    gender = gender_of(thing)
    if not gender:
        return None
    nominative, accusative = _PRONOUNS[gender]
    here, elsewhere = (nominative, accusative) if subject else (accusative, nominative)
    return Word(here, "pronoun", elsewhere if elsewhere != here else "")


def _synonym(rng: Rng, words: Sequence[str], plain: bool) -> str:
    return words[0] if plain or len(words) == 1 else rng.choice(words)


def quality_word(rng: Rng, quality: str, plain: bool = False) -> str:
    return _synonym(rng, QUALITY_WORDS.get(quality, (quality,)), plain)


def count_words(rng: Rng, count: str) -> str:
    return rng.choice(NUMBER_WORDS.get(count, (count,)))


def noun_phrase(rng: Rng, thing: Thing, plain: bool = False, relative: bool = False, tense: str = "past") -> list[Word]:
    if thing.name:
        return [Word(thing.name, "name")]
    many = thing.plural
    singular = _synonym(rng, noun_words(thing.kind), plain)
    noun = Word(plural(singular), "noun", singular) if many else Word(singular, "noun", plural(singular))
    adjective = Word(quality_word(rng, thing.quality, plain), "adjective") if thing.quality else None
    phrase: list[Word] = []
    first = noun if relative or adjective is None else adjective
    if many:
        if thing.definite:
            phrase.append(Word("the", "determiner", "a"))
        if not (thing.definite and thing.number == "some"):
            phrase.append(Word(count_words(rng, thing.number), "number", "one"))
    elif thing.definite:
        phrase.append(Word("the", "determiner", "these"))
    else:
        right = article(first.text)
        phrase.append(Word(right, "determiner", "a" if right == "an" else "an"))
    if adjective is not None and not relative:
        phrase.append(adjective)
    phrase.append(noun)
    if adjective is not None and relative:
        human = is_a(thing.kind, "person")
        verb = _be("past" if tense == "past" else "present", many)
        wrong = "which" if human else "" if is_a(thing.kind, "animal") else "who"
        phrase += [Word("who" if human and not plain else "that", "relative", wrong), verb, adjective]
    return phrase


def _be(tense: str, many: bool) -> Word:
    if tense == "past":
        return Word("were", "verb", "was") if many else Word("was", "verb", "were")
    return Word("are", "verb", "is") if many else Word("is", "verb", "are")


def verb_group(
    verb: Verb, tense: str, passive: bool, negated: bool, many: bool, inverted: bool = False
) -> tuple[list[Word], list[Word]]:
    """The words before a subject that follows the auxiliary (empty without one), and those after."""
    words: list[Word]
    if tense == "future":
        words = [Word("will", "auxiliary", "is"), *([Word("be", "verb", "been")] if passive else [])]
    elif tense == "pluperfect":
        words = [Word("had", "auxiliary", "has"), *([Word("been", "verb", "be")] if passive else [])]
    elif tense == "perfect":
        words = [Word("have", "auxiliary", "has") if many else Word("has", "auxiliary", "have")]
        words += [Word("been", "verb", "be")] if passive else []
    elif passive:
        words = [_be(tense, many)]
    elif negated or inverted:
        present = Word("do", "auxiliary", "does") if many else Word("does", "auxiliary", "do")
        words = [Word("did", "auxiliary", "was") if tense == "past" else present]
    elif tense == "past":
        return [], [Word(verb.past, "verb", "is " + verb.base if verb.past == verb.base else f"did {verb.past}")]
    else:
        return [], [Word(verb.base, "verb", verb.third) if many else Word(verb.third, "verb", verb.base)]
    if passive or tense.endswith("perfect"):
        main = Word(verb.participle, "verb", verb.base if verb.participle != verb.base else verb.third)
    else:
        main = Word(
            verb.base,
            "verb",
            verb.third if tense != "past" else verb.past if verb.past != verb.base else verb.third,
        )
    rest = [*words[1:], main]
    denial = [NOT] if negated else []
    return words[:1], [*denial, *rest]


def _mention(rng: Rng, event: Event, role: str, wording: Plan, subject: bool) -> list[Word]:
    thing: Thing = getattr(event, role)
    if role in wording.pronouns and (word := pronoun(thing, subject)):
        return [word]
    return noun_phrase(rng, thing, wording.plain_words, wording.relative == role, event.tense)


def _circumstance(rng: Rng, event: Event, role: str, plain: bool) -> list[Word]:
    key: str = getattr(event, role)
    if not key:
        return []
    if role == "manner":
        return [Word(_synonym(rng, MANNER_WORDS.get(key, (key,)), plain), "adverb")]
    words = place_words(key) if role == "place" else time_words(key)
    parts = _synonym(rng, words, plain).split(" ", 1)
    return [Word(parts[0], "preposition"), Word(parts[1], role)] if len(parts) > 1 else [Word(parts[0], role)]


def clause(rng: Rng, event: Event, wording: Plan, asked: str = "", polar: bool = False) -> list[Word]:
    """A main clause; with `asked` a question for that role, with `polar` a yes-no question. Without final mark."""
    verb = wording.verb
    top, bottom = (verb.object, verb.subject) if wording.passive else (verb.subject, verb.object)
    interrogative = bool(asked or polar)
    subject_asked = asked == top
    top_thing: Thing | None = getattr(event, top)
    many = top_thing is not None and top_thing.plural and not subject_asked
    subject = [] if subject_asked or top_thing is None else _mention(rng, event, top, wording, subject=True)
    inverted = interrogative and not subject_asked
    auxiliary, rest = verb_group(verb, event.tense, wording.passive, event.negated, many, inverted)
    manner = [] if asked == "manner" else _circumstance(rng, event, "manner", wording.plain_words)
    words: list[Word] = []
    if asked:
        words += _asking(event, asked)
    elif wording.front and not polar:
        words += [*_circumstance(rng, event, wording.front, wording.plain_words), COMMA]
    early = manner if wording.early_manner and not interrogative and not event.negated else []
    words += [*auxiliary, *subject, *rest] if inverted else [*subject, *auxiliary, *early, *rest]
    if wording.passive:
        if getattr(event, bottom) is not None and asked != bottom:
            agent = [Word("by", "preposition"), *_mention(rng, event, bottom, wording, subject=False)]
        else:
            agent = [Word("by", "preposition")] if asked == bottom else []
    else:
        agent = [] if not bottom or asked == bottom else _mention(rng, event, bottom, wording, subject=False)
    oblique: list[Word] = []
    if verb.oblique and getattr(event, verb.oblique) is not None:
        oblique = [Word(verb.preposition, "preposition")]
        if asked != verb.oblique:
            oblique += _mention(rng, event, verb.oblique, wording, subject=False)
    words += [*oblique, *agent] if wording.passive else [*agent, *oblique]
    words += [] if early else manner
    for role in ("place", "time"):
        if role != asked and (role != wording.front or interrogative):
            words += _circumstance(rng, event, role, wording.plain_words)
    return words


def _asking(event: Event, role: str) -> list[Word]:
    if role in ("place", "time", "manner"):
        return [Word({"place": "where", "time": "when", "manner": "how"}[role], "question")]
    thing: Thing | None = getattr(event, role)
    human = thing is not None and (is_a(thing.kind, "person"))
    return [Word("who" if human else "what", "question", "where")]


def predication(
    rng: Rng, state: State, plain: bool = True, tense: str = "past", pronominal: bool = False
) -> list[Word]:
    """`The farmer was not tall`."""
    thing = state.thing
    word = pronoun(thing, subject=True) if pronominal else None
    subject = [word] if word else noun_phrase(rng, thing, plain)
    denial = [NOT] if state.negated else []
    return [
        *subject,
        _be(tense, thing.plural),
        *denial,
        Word(quality_word(rng, state.quality, plain), "adjective"),
    ]


def kind_statement(rng: Rng, kind: str) -> str:
    """`A spaniel is a kind of dog.`"""
    singular = rng.choice(noun_words(kind))
    up = noun_words(KIND_ABOVE[kind][0])[0]
    if rng.chance(0.4):
        return text([Word(f"every {singular} is {article(up)} {up}", "")])
    return text([Word(f"{article(singular)} {singular} is a kind of {up.removeprefix('piece of ')}", "")])


def text(words: Sequence[Word], mark: str = ".") -> str:
    """A sentence: capital letter, marks attached to the word before them."""
    joined = " ".join([word.text for word in words]).replace(" ,", ",") + mark
    return joined[0].upper() + joined[1:]


def say(rng: Rng, meaning: Event | State, plain: float = 0.5) -> str:
    if isinstance(meaning, State):
        return text(predication(rng, meaning, rng.chance(plain)))
    return text(clause(rng, meaning, plan(rng, meaning, plain)))


def ask(rng: Rng, event: Event, role: str, plain: float = 0.5) -> str:
    """A question for a role of the event, or with role `polar` whether it happened."""
    wording = plan(rng, event, plain)
    asked = "" if role == "polar" else role
    if asked and asked in (wording.verb.subject, wording.verb.object, wording.verb.oblique):
        wording = wording._replace(relative="" if wording.relative == asked else wording.relative)
    return text(clause(rng, event, wording, asked, polar=not asked), "?")
