"""French grammar: from a meaning to sentences, in the perspective of the English one they translate.

The words are put together in full (`de le`, `ne est`) and `spell` elides and contracts, so that no rule of agreement
or order has to look at how its neighbours sound. Tenses are present, past and future; the past of an event is the
perfect, that of a state of affairs the imperfect.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.data.synthetic.french_verbs import VERBS_OF, Verb, conjugate
from harness.data.synthetic.french_words import (
    ASPIRATED,
    INVARIABLE,
    MANNERS,
    NOUNS,
    NUMBERS,
    PLACES,
    PLURALS,
    TIMES,
    adjective_of,
)
from harness.data.synthetic.meaning import Event, Meaning, State, Thing

COMMA = ","


class Plan(NamedTuple):
    """The choices that do not change the meaning."""

    verb: Verb
    passive: bool = False
    front: str = ""


def plans(event: Event, subject: str, passive: bool) -> list[Plan]:
    """The plain way to say the event with that role as subject of its active verb, and another if there is one.

    The other is the passive of a passive, else another verb, else what is told of the time or place put in front.
    """
    verbs = [verb for verb in VERBS_OF[event.action] if verb.subject == subject]
    plain = Plan(verbs[0])
    if passive and plain.verb.object:
        return [plain, plain._replace(passive=True)]
    if len(verbs) > 1:
        return [plain, Plan(verbs[1])]
    fronted = [role for role in ("time", "place") if getattr(event, role)]
    return [plain, *[plain._replace(front=role) for role in fronted[:1]]]


def references(meaning: Meaning, subject: str = "agent", passive: bool = False) -> tuple[str, ...]:
    """The plain sentence and, where there is one, another that says the same."""
    if isinstance(meaning, State):
        return (spell(predication(meaning)),)
    return tuple(spell(clause(meaning, plan)) for plan in plans(meaning, subject, passive))


def is_feminine(thing: Thing) -> bool:
    return NOUNS[thing.kind].startswith("f ")


def sounds_like_vowel(word: str) -> bool:
    return word[0].lower() in "aeiouhàâéèêîïôœ" and not word.startswith(ASPIRATED)


def plural(word: str) -> str:
    if word in PLURALS:
        return PLURALS[word]
    if word in INVARIABLE or word.endswith(("s", "x", "z")):
        return word
    if word.endswith("al"):
        return word[:-2] + "aux"
    return word + "x" if word.endswith("eau") else word + "s"


def agreeing(participle: str, thing: Thing) -> str:
    gendered = participle + "e" if is_feminine(thing) else participle
    return plural(gendered) if thing.plural else gendered


def adjective(thing: Thing, quality: str, following: str = "") -> str:
    """The form that agrees with the thing; `following` is the noun it stands before."""
    words = adjective_of(quality, thing.kind)
    if thing.plural:
        return plural(words.feminine if is_feminine(thing) else words.masculine)
    if is_feminine(thing):
        return words.feminine
    return words.liaison if following and sounds_like_vowel(following) else words.masculine


def noun_phrase(thing: Thing) -> list[str]:
    if thing.name:
        return [thing.name]
    singular = NOUNS[thing.kind][2:]
    phrase = [plural(singular) if thing.plural else singular]
    if thing.quality:
        if adjective_of(thing.quality, thing.kind).before:
            phrase.insert(0, adjective(thing, thing.quality, phrase[0]))
        else:
            phrase.append(adjective(thing, thing.quality))
    return [*_determiners(thing), *phrase]


def _determiners(thing: Thing) -> list[str]:
    feminine = is_feminine(thing)
    if not thing.plural:
        return [("la" if feminine else "le") if thing.definite else "une" if feminine else "un"]
    if not thing.definite:
        return [NUMBERS[thing.number]]
    return ["les"] if thing.number == "some" else ["les", NUMBERS[thing.number]]


_ETRE, _AVOIR = conjugate("être"), conjugate("avoir")


def verb_group(verb: Verb, tense: str, negated: bool, subject: Thing, passive: bool = False) -> list[str]:
    """Pronoun, verb and negation: `ne se est pas excusée`."""
    forms = _ETRE if passive else verb.forms
    before = ["se"] if verb.reflexive else []
    if tense == "past" and not verb.stative:
        auxiliary = _ETRE if verb.with_etre else _AVOIR
        finite = auxiliary.plural if subject.plural else auxiliary.singular
        rest = [agreeing(forms.participle, subject) if verb.with_etre else forms.participle]
    else:
        endings = {"past": ("ait", "aient"), "future": ("a", "ont")}
        if tense == "present":
            finite = forms.plural if subject.plural else forms.singular
        else:
            stem = forms.imperfect if tense == "past" else forms.future
            finite = stem + endings[tense][subject.plural]
        rest = []
    if passive:
        rest.append(agreeing(verb.forms.participle, subject))
    return [*_denied(negated, [*before, finite]), *rest, *verb.after]


def _denied(negated: bool, finite: Sequence[str]) -> list[str]:
    return ["ne", *finite, "pas"] if negated else [*finite]


def _circumstance(event: Event, role: str) -> list[str]:
    key: str = getattr(event, role)
    words = {"place": PLACES, "time": TIMES, "manner": MANNERS}[role]
    return [words[key]] if key else []


def clause(event: Event, plan: Plan) -> list[str]:
    """Subject, verb, adverb, objects, adverbial phrase, place, time."""
    verb = plan.verb
    top, bottom = (verb.object, verb.subject) if plan.passive else (verb.subject, verb.object)
    subject: Thing = getattr(event, top)
    direct = [*(["par"] if plan.passive else []), *noun_phrase(getattr(event, bottom))] if bottom else []
    oblique = [verb.preposition, *noun_phrase(getattr(event, verb.oblique))] if verb.oblique else []
    manner = _circumstance(event, "manner")
    adverb = [word for word in manner if " " not in word]
    words = [*_circumstance(event, plan.front), COMMA] if plan.front else []
    words += [*noun_phrase(subject), *verb_group(verb, event.tense, event.negated, subject, plan.passive), *adverb]
    words += [*oblique, *direct] if plan.passive else [*direct, *oblique]
    words += [] if adverb else manner
    for role in ("place", "time"):
        words += _circumstance(event, role) if role != plan.front else []
    return words


def predication(state: State) -> list[str]:
    """`La jument ne était pas vieille`."""
    finite = _ETRE.imperfect + ("aient" if state.thing.plural else "ait")
    return [*noun_phrase(state.thing), *_denied(state.negated, [finite]), adjective(state.thing, state.quality)]


_ELIDED = ("le", "la", "de", "ne", "se")
_CONTRACTED = {("à", "le"): "au", ("à", "les"): "aux", ("de", "le"): "du", ("de", "les"): "des"}


def spell(words: Sequence[str]) -> str:
    """A sentence: elided, contracted, with a capital letter and marks."""
    tokens = " ".join(words).split()
    spelled: list[str] = []
    for word, following in zip(tokens, [*tokens[1:], "."], strict=True):
        if word in _ELIDED and sounds_like_vowel(following):
            word = word[0] + "'"
        elif spelled and (spelled[-1], word) in _CONTRACTED:
            word = _CONTRACTED[spelled.pop(), word]
        spelled.append(word)
    joined = " ".join(spelled).replace("' ", "'").replace(" ,", ",") + "."
    return joined[0].upper() + joined[1:]
