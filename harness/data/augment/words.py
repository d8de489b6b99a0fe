"""Words swapped, removed, replaced by synonyms, and put in: EDA (Wei and Zou 2019, arXiv 1901.11196)."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from harness.core.strict_spec import Strict
from harness.data.augment.base import TextOperation, rate
from harness.data.augment.draws import Draws
from harness.data.augment.synonyms import WORDNET, Thesaurus, thesaurus
from harness.data.augment.text import Pieces, Span, Text
from harness.data.augment.vocabulary import STOP_WORDS

EDA = "Wei and Zou 2019 (arXiv 1901.11196)"


def changed_words(fraction: float, words: int) -> int:
    """EDA's n = max(1, αl)."""
    return max(1, int(fraction * words))


class WordOptions(Strict):
    """How many words are changed."""

    rate: float = rate(0.1, "Of the words; at least one.")


class Swap(TextOperation):
    """Two words trade places, several times. Both stand between the same negations and numbers."""

    Options = WordOptions
    changes = "words"
    source = EDA

    def apply(self, text: Text, draws: Draws) -> Pieces:
        runs = [run for run in text.stretches if len({text[span].lower() for span in run}) > 1]
        within = {span: run for run in runs for span in run}
        words = list(within)
        placed = {span: span for span in words}
        for _ in range(changed_words(self.options.rate, len(text.words)) if words else 0):
            first = draws.choice(words)
            run = within[first]
            start = draws.below(len(run))
            others = (run[(start + step) % len(run)] for step in range(len(run)))
            second = next(span for span in others if text[placed[span]].lower() != text[placed[first]].lower())
            placed[first], placed[second] = placed[second], placed[first]
        return text.edited(list(placed.items()))


class Delete(TextOperation):
    """Each word is removed with the probability `rate`, but what is negated stays; so does one word at least."""

    Options = WordOptions
    changes = "words"
    source = EDA

    def apply(self, text: Text, draws: Draws) -> Pieces:
        removed = [span for span in text.free if draws.chance(self.options.rate) and span not in text.negated]
        if removed and len(removed) == len(text.words):
            removed.remove(draws.choice(removed))
        return text.without(removed)


class SynonymOptions(WordOptions):
    """Where synonyms are from.

    Attributes:
        synonyms: `wordnet`, as NLTK has it, or a file: YAML `word: [a, b]`, or TSV `word<tab>a<tab>b`.
        senses: Of WordNet: the most frequent senses of a word that are looked at; more are less sure.
    """

    synonyms: str = Field(default=WORDNET, min_length=1)
    senses: int = Field(default=1, ge=1, le=100)


class OfThesaurus(TextOperation):
    """An operation that knows synonyms."""

    Options = SynonymOptions
    changes = "words"
    source = EDA

    @property
    def thesaurus(self) -> Thesaurus:
        """Read once in a process."""
        return thesaurus(self.options.synonyms, self.options.senses)

    def inputs(self) -> Mapping[str, str]:
        return {self.options.synonyms: self.thesaurus.fingerprint}

    def candidates(self, text: Text) -> list[tuple[Span, tuple[str, ...]]]:
        """The words that have synonyms, with these."""
        plain = [(span, text[span]) for span in text.free]
        known = [(span, self.thesaurus.of(word)) for span, word in plain if word.lower() not in STOP_WORDS]
        return [(span, synonyms) for span, synonyms in known if synonyms]


class Synonyms(OfThesaurus):
    """Words are replaced by synonyms."""

    def apply(self, text: Text, draws: Draws) -> Pieces:
        count = changed_words(self.options.rate, len(text.words))
        chosen = draws.sample(self.candidates(text), count)
        return text.edited([(span, like(text[span], draws.choice(synonyms))) for span, synonyms in chosen])


class Insert(OfThesaurus):
    """A synonym of one of the words is put in at a random place, several times; not right behind a negation."""

    def apply(self, text: Text, draws: Draws) -> Pieces:
        candidates, gaps = self.candidates(text), text.gaps
        if not candidates or not gaps:
            return text.edited([])
        inserted: dict[int, str] = {}
        for _ in range(changed_words(self.options.rate, len(text.words))):
            word = draws.choice(draws.choice(candidates)[1])
            place = draws.choice(gaps)
            inserted[place] = f"{inserted.get(place, '')}{word} "
        return text.edited([(Span(place, place), words) for place, words in inserted.items()])


def like(word: str, new: str) -> str:
    """A word in the case of another: `Film` for `Movie`."""
    if word.isupper() and len(word) > 1:
        return new.upper()
    return new[:1].upper() + new[1:] if word[:1].isupper() else new
