"""DeepWordBug: letters of the most important words are swapped, replaced, left out and put in (Gao et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase
from typing import ClassVar, Literal

from pydantic import Field

from harness.attacks.base import AttackOptions, Request, Target
from harness.attacks.word_by_word import Ask, WordByWord, by_deletion
from harness.data.augment.draws import Draws
from harness.data.augment.text import Span

SHORTEST = 2
"""Letters of a word that is changed."""


class DeepWordBugOptions(AttackOptions):
    """How words are ranked, and how many letters are changed.

    Attributes:
        score: What a word is worth: `head`, what it adds to the text before it; `tail`, to the text after it;
            `combined`, the sum of both; `delete`, what the text loses without it.
        edits: The largest edit distance of the changed text to the original.
    """

    score: Literal["combined", "head", "tail", "delete"] = "combined"
    edits: int = Field(default=30, ge=1, le=10_000)


class DeepWordBug(WordByWord):
    """Each important word is misspelt, by a swap, a substitution, a deletion or an insertion of a letter, whichever
    costs the right class most.
    """

    Options = DeepWordBugOptions
    chooses = "drop"
    source = "Gao et al. 2018 (arXiv 1801.04354)"
    least_similarity: ClassVar[Mapping[str, float]] = {}

    def importance(self, target: Target) -> Ask:
        if self.options.score == "delete":
            return (yield from by_deletion(target))
        words, text, label = target.text.words, target.text.text, target.label
        heads = [text[: span.end] for span in words[:-1]] if self.options.score != "tail" else []
        tails = [text[span.start :] for span in words[1:]] if self.options.score != "head" else []
        answers = yield Request("model", (*heads, *tails))
        known = dict(zip((*heads, *tails), (answer.probabilities[label] for answer in answers), strict=False))
        nothing = 1 / len(target.original.probabilities)
        whole = target.original.probabilities[label]

        def probability(part: str) -> float:
            """Of a part of the text; of one for which there was no budget what is said of none."""
            return known.get(part, nothing)

        scores = {}
        for place, span in enumerate(words):
            score = 0.0
            if heads or len(words) == 1:
                before = probability(text[: words[place - 1].end]) if place else nothing
                score += (probability(text[: span.end]) if place + 1 < len(words) else whole) - before
            if tails:
                behind = probability(text[words[place + 1].start :]) if place + 1 < len(words) else nothing
                score += (probability(text[span.start :]) if place else whole) - behind
            scores[span] = score
        return [scores[span] for span in target.words]

    def replacements(self, target: Target, span: Span) -> Ask:
        word = target.text[span]
        yield from ()
        if len(word) < SHORTEST:
            return []
        return misspellings(word, self.draws(target, span.start))

    def allowed(self, target: Target, edits: Mapping[Span, str]) -> bool:
        """Words are changed apart from each other, so that their distances add up."""
        return sum(distance(target.text[span], word) for span, word in edits.items()) <= self.options.edits


def misspellings(word: str, draws: Draws) -> list[str]:
    """Two letters swapped, one replaced, one left out, one put in; after the first letter where the word is longer than
    the edit needs.
    """
    first = 1 if len(word) > SHORTEST else 0
    places = range(first, len(word) - 1)
    swapped = [word[:at] + word[at + 1] + word[at] + word[at + 2 :] for at in places if word[at] != word[at + 1]]
    at = first + draws.below(len(word) - first)
    replaced = word[:at] + _letter(word[at], draws) + word[at + 1 :]
    at = first + draws.below(len(word) - first)
    without = word[:at] + word[at + 1 :]
    at = first + draws.below(len(word) - first)
    longer = word[:at] + _letter(word[at], draws) + word[at:]
    return [*([draws.choice(swapped)] if swapped else []), replaced, without, longer]


def _letter(of: str, draws: Draws) -> str:
    """Another letter, in the case of one."""
    letter = draws.choice([letter for letter in ascii_lowercase if letter != of.lower()])
    return letter.upper() if of.isupper() else letter


def distance(word: str, other: str) -> int:
    """The edit distance of two words (Levenshtein 1966)."""
    row = list(range(len(other) + 1))
    for place, letter in enumerate(word, 1):
        diagonal, row[0] = row[0], place
        for column, another in enumerate(other, 1):
            cost = diagonal + (letter != another)
            diagonal, row[column] = row[column], min(row[column] + 1, row[column - 1] + 1, cost)
    return row[-1]
