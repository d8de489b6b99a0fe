"""Texts translated into another language and back."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache

from pydantic import Field, field_validator

from harness.core.decoding_spec import DecodingSpec
from harness.core.strict_spec import Strict
from harness.data.augment.base import TextOperation
from harness.data.augment.draws import Draws
from harness.data.augment.text import Pieces, Text, is_negation
from harness.modeling.checkpoint import REWRITE, Checkpoint
from harness.modeling.inference.generate import generate
from harness.modeling.weights.positions import positions_of
from harness.training.augment.models import fingerprint, opened

NAME = "back-translation"
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
ROOM = 2
"""How many times as long as its source, and ten tokens, a translation may be."""


class BackTranslationOptions(Strict):
    """By which models.

    Attributes:
        there: The folder of a sequence-to-sequence model that translates into the other language.
        back: That of one that translates back.
        prompt_there: What it is asked, with the place of the text; T5 wants one, Marian none.
        prompt_back: The same of the way back.
        temperature: Above 0 words are drawn, which tells copies apart; 0 takes the likeliest.
        num_beams: Beams of a translation that is not drawn.
    """

    there: str = Field(min_length=1)
    back: str = Field(min_length=1)
    prompt_there: str = "{text}"
    prompt_back: str = "{text}"
    temperature: float = Field(default=0.0, ge=0, le=10)
    num_beams: int = Field(default=1, ge=1, le=64)

    @field_validator("prompt_there", "prompt_back")
    @classmethod
    def _has_the_text(cls, value: str) -> str:
        if value.count("{text}") != 1:
            raise ValueError("{text} must stand in it once: the place of the sentence")
        return value


class BackTranslation(TextOperation):
    """Each sentence is translated there and back.

    A text stays as it is where its numbers do not come back, where one negates and the other does not, or where a
    sentence is too long for a model.
    """

    Options = BackTranslationOptions
    changes = "words"
    source = "Sennrich et al. 2016 (arXiv 1511.06709), Xie et al. 2020 (arXiv 1904.12848)"
    note = "a translation there and back can lose what a text says; numbers and negations are compared, nothing else"

    def inputs(self) -> Mapping[str, str]:
        return {path: fingerprint(path, NAME) for path in (self.options.there, self.options.back)}

    def apply_all(self, texts: Sequence[Text], draws: Sequence[Draws]) -> Sequence[str | Pieces]:
        if not texts:
            return []
        options = self.options
        seed = draws[0].below(2**31)
        sentences = list(dict.fromkeys(text[span] for text in texts for span in text.sentences))
        there = self._translated(options.there, options.prompt_there, sentences, seed)
        reached = [sentence for sentence in sentences if there[sentence]]
        back = self._translated(options.back, options.prompt_back, [there[sentence] for sentence in reached], seed)
        whole = {sentence: back[there[sentence]] for sentence in reached}
        return [_put_together(text, whole) for text in texts]

    def _translated(self, path: str, prompt: str, sentences: Sequence[str], seed: int) -> dict[str, str]:
        """The translation of each sentence; empty where it is too long."""
        checkpoint = _opened(path)
        tokenizer, options = checkpoint.tokenizer, self.options
        wanted = list(dict.fromkeys(sentences))
        rows = tokenizer([prompt.replace("{text}", sentence) for sentence in wanted], verbose=False)["input_ids"]
        limit = positions_of(checkpoint.model, "encoder") or max(map(len, rows), default=0)
        fitting = [index for index, row in enumerate(rows) if len(row) <= limit]
        longest = max((len(rows[index]) for index in fitting), default=0)
        decoding = DecodingSpec(
            max_new_tokens=ROOM * longest + 10,
            num_beams=1 if options.temperature else options.num_beams,
            do_sample=options.temperature > 0,
            temperature=options.temperature or 1.0,
        )
        written = generate(checkpoint.model, tokenizer, [rows[index] for index in fitting], decoding, seed)
        texts = [tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in written]
        return dict.fromkeys(wanted, "") | {wanted[index]: text for index, text in zip(fitting, texts, strict=True)}


@lru_cache(maxsize=2)
def _opened(path: str) -> Checkpoint:
    return opened(path, f"augment: {NAME}", REWRITE, "a sequence-to-sequence model")


def _put_together(text: Text, translations: Mapping[str, str]) -> str:
    """The text with its sentences translated; as it was where something that must stay is lost."""
    sentences = [translations.get(text[span], "") for span in text.sentences]
    new = " ".join(sentences)
    same = sorted(NUMBER.findall(text.text)) == sorted(NUMBER.findall(new)) and _negates(text.text) == _negates(new)
    return new if all(sentences) and same else text.text


def _negates(text: str) -> bool:
    return any(is_negation(word) for word in re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text))
