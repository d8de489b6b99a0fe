"""TextFooler: the most important words are replaced by synonyms (Jin et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from pydantic import Field

from harness.attacks.base import AttackOptions, Target
from harness.attacks.word_by_word import Ask, WordByWord
from harness.data.augment.synonyms import WORDNET, Thesaurus, thesaurus
from harness.data.augment.text import Span
from harness.data.augment.words import like


class TextFoolerOptions(AttackOptions):
    """Where synonyms are from.

    Attributes:
        synonyms: `wordnet`, as NLTK has it, or a file: YAML `word: [a, b]`, or TSV `word<tab>a<tab>b`.
        senses: Of WordNet: the most frequent senses of a word that are looked at.
        most: Synonyms of a word that are tried.
    """

    synonyms: str = Field(default=WORDNET, min_length=1)
    senses: int = Field(default=10, ge=1, le=100)
    most: int = Field(default=50, ge=1, le=1000)


class TextFooler(WordByWord):
    """Each important word is replaced by a synonym. Of those that fool the model the text most like the original is
    taken. In place of the paper's counter-fitted vectors and its tagger stands WordNet, which has synonyms of a word's
    own senses.
    """

    Options = TextFoolerOptions
    source = "Jin et al. 2020 (arXiv 1907.11932)"

    @cached_property
    def thesaurus(self) -> Thesaurus:
        """Read once."""
        return thesaurus(self.options.synonyms, self.options.senses)

    def inputs(self) -> Mapping[str, str]:
        return {**super().inputs(), self.options.synonyms: self.thesaurus.fingerprint}

    def replacements(self, target: Target, span: Span) -> Ask:
        yield from ()
        word = target.text[span]
        return [like(word, synonym) for synonym in self.thesaurus.of(word)[: self.options.most]]
