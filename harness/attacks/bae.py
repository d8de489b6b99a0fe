"""BAE: the most important words are replaced by what a masked language model says in their place, or get such words
beside them (Garg and Ramakrishnan 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import Field

from harness.attacks.base import AttackOptions, Request, Target
from harness.attacks.word_by_word import Ask, WordByWord
from harness.data.augment.text import Span
from harness.data.augment.words import like
from harness.modeling.probabilities import DIGITS
from harness.training.augment.masked_words import likeliest, masked_model
from harness.training.augment.models import folder_fingerprint

MASK = "\0"
"""Stands for the mask of whichever tokenizer."""
SPARE = 10
"""Further words that are ranked, so that rounding decides alike wherever a text stands in a batch."""


class BaeOptions(AttackOptions):
    """Which model proposes words, and where they are put.

    Attributes:
        model: The folder of a masked language model, such as `harness pretrain -o` writes.
        change: `replace` a word (BAE-R), `insert` one before or behind it (BAE-I), or `either` (BAE-R/I).
        most: Words that are tried in a place.
    """

    model: str = Field(min_length=1)
    change: Literal["replace", "insert", "either"] = "replace"
    most: int = Field(default=50, ge=1, le=1000)


class Bae(WordByWord):
    """Each important word is replaced by a likely one, or gets one beside it. Of those that fool the model the text
    most like the original is taken. The model knows what fits, not what means the same: similarity is to hold that.
    """

    Options = BaeOptions
    source = "Garg and Ramakrishnan 2020 (arXiv 2004.01970)"

    def inputs(self) -> Mapping[str, str]:
        return {**super().inputs(), self.options.model: folder_fingerprint(self.options.model, "attack bae: model")}

    def replacements(self, target: Target, span: Span) -> Ask:
        word = target.text[span]
        here = target.edits.get(span, word)
        replaced = ["{}"] if self.options.change != "insert" else []
        inserted = ["{} " + here, here + " {}"] if self.options.change != "replace" else []
        patterns = [*replaced, *inserted]
        masked = [target.written({**target.edits, span: pattern.replace("{}", MASK)}) for pattern in patterns]
        proposals = yield Request("proposals", tuple(masked))
        words = []
        for pattern, proposed in zip(patterns, proposals, strict=True):
            fitting = [new for new in proposed if pattern != "{}" or new != word.lower()]
            words += [pattern.replace("{}", like(word, new) if pattern == "{}" else new) for new in fitting]
        return words

    def propose(self, items: Sequence[str]) -> list[list[str]]:
        """The likeliest words in the place of the mask of each text, the likeliest first."""
        model = masked_model(self.options.model, "attack bae")
        texts = [text.replace(MASK, model.mask) for text in items]
        ranked = likeliest(model, texts, [1] * len(texts), self.options.most + SPARE)
        return [self._ranked(of_mask) for (of_mask,) in ranked]

    def _ranked(self, words: Sequence[tuple[str, float]]) -> list[str]:
        ordered = sorted(words, key=lambda pair: (-round(pair[1], DIGITS), pair[0]))
        return [word for word, _ in ordered[: self.options.most]]
