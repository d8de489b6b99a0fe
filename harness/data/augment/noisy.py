"""Noise: slips of the keyboard, case, punctuation; what `harness.data.noise` does to texts that are scored."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from harness.core.strict_spec import Strict
from harness.data.augment.base import TextOperation, rate
from harness.data.augment.draws import Draws
from harness.data.augment.text import Pieces, Span, Text
from harness.data.noise import (
    CASES,
    INSERTED,
    INSERTION_RATE,
    MARK_OR_GAP,
    MARK_RATE,
    TYPO_RATE,
    Case,
    mistyped,
    recased,
)

SHORTEST = 4
"""Letters of a word that is mistyped."""
AEDA_MARKS = ".;?:!,"


class TyposOptions(Strict):
    """How many words are mistyped."""

    rate: float = rate(TYPO_RATE, "Of the words of four letters or more.")


class Typos(TextOperation):
    """Slips of the keyboard: a letter replaced by its neighbour, doubled by one, swapped or left out."""

    Options = TyposOptions
    changes = "spelling"
    source = "Belinkov and Bisk 2018 (arXiv 1711.02173), Pruthi et al. 2019 (arXiv 1905.11268)"

    def apply(self, text: Text, draws: Draws) -> Pieces:
        words = [span for span in text.free if len(text[span]) >= SHORTEST and text[span].isalpha()]
        chosen = [span for span in words if draws.chance(self.options.rate)]
        return text.edited([(span, mistyped(text[span], draws.uniform)) for span in chosen])


class CaseOptions(Strict):
    """Which cases a text may be put in.

    Attributes:
        styles: Of these one is drawn for a text; `mixed` draws one for each word.
    """

    styles: Annotated[tuple[Case, ...], Field(min_length=1)] = CASES


class CaseChange(TextOperation):
    """The text in lower case, UPPER CASE, Each Word Capitalized, or each word in one of these."""

    Options = CaseOptions
    changes = "style"
    source = "Moradi and Samwald 2021 (arXiv 2108.12237)"

    def apply(self, text: Text, draws: Draws) -> str:
        return recased(text.text, draws.choice(self.options.styles), draws.uniform)


class PunctuationOptions(Strict):
    """How many marks are changed and put in.

    Attributes:
        rate: Of the marks behind words; they are left out or doubled.
        insertion_rate: Of the blanks; a mark is put in.
    """

    rate: float = Field(default=MARK_RATE, ge=0, le=1)
    insertion_rate: float = Field(default=INSERTION_RATE, ge=0, le=1)


class Punctuation(TextOperation):
    """Marks left out, doubled, and put in; those inside words and numbers stay."""

    Options = PunctuationOptions
    changes = "punctuation"
    source = "Moradi and Samwald 2021 (arXiv 2108.12237)"

    def apply(self, text: Text, draws: Draws) -> Pieces:
        edits: list[tuple[Span, str | Span]] = []
        for match in MARK_OR_GAP.finditer(text.text):
            place = Span(*match.span())
            if text.is_kept(place) or self._is_in_word(text.text, place):
                continue
            if match["gap"]:
                if draws.chance(self.options.insertion_rate):
                    edits.append((place, f"{draws.choice(INSERTED)} "))
            elif draws.chance(self.options.rate):
                edits.append((place, "" if draws.chance(0.5) else 2 * match[0]))
        return text.edited(edits)

    @staticmethod
    def _is_in_word(text: str, place: Span) -> bool:
        return text[place.start : place.end] != " " and text[place.start - 1 : place.start].isalnum() and (
            text[place.end : place.end + 1].isalnum()
        )  # fmt: skip


class AedaOptions(Strict):
    """How many marks are put in.

    Attributes:
        rate: At most this fraction of the words; how many is drawn between one and that.
    """

    rate: float = rate(1 / 3, "At most, of the words.")


class Aeda(TextOperation):
    """Punctuation marks put in between words, one for at most every third: AEDA."""

    Options = AedaOptions
    changes = "punctuation"
    source = "Karimi et al. 2021 (arXiv 2108.13230)"

    def apply(self, text: Text, draws: Draws) -> Pieces:
        most = max(1, int(self.options.rate * len(text.words)))
        places = draws.sample(text.gaps, 1 + draws.below(most))
        return text.edited([(Span(place, place), f"{draws.choice(AEDA_MARKS)} ") for place in places])
