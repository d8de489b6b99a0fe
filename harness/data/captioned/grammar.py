"""Captions in English, French and Chinese by the same rules: a world has its words (`Lexicon`), how they agree
and are put together is the language's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.data.captioned.meaning import UNSAID, Group, Meaning
from harness.data.synthetic.rng import Rng

LANGUAGES = ("en", "fr", "zh")

FRAMED_FRACTION = 0.2
"""Of captions: those with words around them, such as "a picture of"."""

_NUMBERS = {
    "en": ("", "two", "three", "four"),
    "fr": ("", "deux", "trois", "quatre"),
    "zh": ("一", "两", "三", "四"),
}


@dataclass(frozen=True)
class Lexicon:
    """The words of a world in one language, by key; the key `""` of `kinds` is the word for any kind.

    Attributes:
        kinds: Nouns. English and French: `noun plural`, French with its gender before them, `f étoile étoiles`;
            Chinese: the measure word and the noun, `颗 星星`.
        adjectives: Of qualities and manners. French: the forms `m f mp fp`, or one that does not change, with
            `_` between its words.
        before: The keys of adjectives that stand before a French noun.
        after: The keys of those that stand after an English noun.
        qualities_first: In Chinese: whether the quality stands before the manner.
        relations: Patterns with `{0}` and `{1}`, of which one is taken; of the key `""` where it is unsaid.
        frames: Patterns with `{0}` around a caption.
    """

    kinds: Mapping[str, str]
    adjectives: Mapping[str, str]
    relations: Mapping[str, tuple[str, ...]]
    frames: tuple[str, ...]
    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    qualities_first: bool = False


def phrase(language: str, lexicon: Lexicon, group: Group) -> str:
    """The words for a group: `two small red circles`."""
    return _PHRASES[language](lexicon, group)


def caption(rng: Rng | None, language: str, lexicon: Lexicon, meaning: Meaning) -> str:
    """A caption, in one of the ways to say it; without `rng` in the plainest."""
    phrases = [phrase(language, lexicon, group) for group in meaning.groups]
    text = phrases[0]
    if len(phrases) > 1:
        patterns = lexicon.relations[meaning.relation]
        text = (rng.choice(patterns) if rng else patterns[0]).format(*phrases)
    if rng and rng.chance(FRAMED_FRACTION):
        text = rng.choice(lexicon.frames).format(text)
    return _elided(text) if language == "fr" else text


def _english(lexicon: Lexicon, group: Group) -> str:
    singular, plural = lexicon.kinds[group.kind].split()
    keys = [key for key in (group.manner, group.quality) if key != UNSAID]
    words = [lexicon.adjectives[key] for key in keys if key not in lexicon.after]
    words.append(singular if group.number == 1 else plural)
    words += [lexicon.adjectives[key] for key in keys if key in lexicon.after]
    article = "an" if words[0][0] in "aeiou" else "a"
    return " ".join([article if group.number == 1 else _NUMBERS["en"][group.number - 1], *words])


def _french(lexicon: Lexicon, group: Group) -> str:
    gender, singular, plural = lexicon.kinds[group.kind].split()
    form = (gender == "f") + 2 * (group.number > 1)
    article = "une" if gender == "f" else "un"
    words = [article if group.number == 1 else _NUMBERS["fr"][group.number - 1]]
    keys = [key for key in (group.manner, group.quality) if key != UNSAID]
    words += [_agreeing(lexicon.adjectives[key], form) for key in keys if key in lexicon.before]
    words.append(singular if group.number == 1 else plural)
    words += [_agreeing(lexicon.adjectives[key], form) for key in reversed(keys) if key not in lexicon.before]
    return " ".join(words)


def _agreeing(forms: str, form: int) -> str:
    words = forms.split()
    return words[form] if len(words) > 1 else forms.replace("_", " ")


def _elided(text: str) -> str:
    """`de un` is `d'un`."""
    return text.replace(" de un", " d'un")


def _chinese(lexicon: Lexicon, group: Group) -> str:
    measure, noun = lexicon.kinds[group.kind].split()
    keys = (group.quality, group.manner) if lexicon.qualities_first else (group.manner, group.quality)
    adjectives = "".join(lexicon.adjectives[key] for key in keys if key != UNSAID)
    return f"{_NUMBERS['zh'][group.number - 1]}{measure}{adjectives}{noun}"


_PHRASES: dict[str, Callable[[Lexicon, Group], str]] = {"en": _english, "fr": _french, "zh": _chinese}
