"""Rules of a line or two: lengths, languages, faults of encoding, a pattern of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import regex
from pydantic import Field, field_validator, model_validator

from harness.core.errors import did_you_mean
from harness.core.strict_spec import Strict, listed
from harness.corpora.rules.base import Removal, Rule, Text, fraction
from harness.corpora.text.faults import fault_ratio
from harness.corpora.text.languages import known_languages, languages_of


class LengthOptions(Strict):
    """Bounds on the length of a document."""

    min_characters: int | None = Field(default=None, ge=1)
    max_characters: int | None = Field(default=None, ge=1)
    min_words: int | None = Field(default=None, ge=1)
    max_words: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _bounds_something(self) -> LengthOptions:
        if not any((self.min_characters, self.max_characters, self.min_words, self.max_words)):
            raise ValueError("give min_characters, max_characters, min_words or max_words")
        return self


class Length(Rule):
    """Documents that are too short or too long."""

    Options = LengthOptions

    def judge(self, text: Text) -> Removal | None:
        options: LengthOptions = self.options
        measured = [("characters", len(text.text), options.min_characters, options.max_characters)]
        if options.min_words or options.max_words:
            measured.append(("words", len(text.words), options.min_words, options.max_words))
        for unit, size, least, most in measured:
            if least and size < least:
                return Removal(f"too few {unit}", size, least)
            if most and size > most:
                return Removal(f"too many {unit}", size, most)
        return None


class LanguageOptions(Strict):
    """Which languages are kept."""

    keep: Annotated[tuple[str, ...], Field(min_length=1)] = ("en",)
    min_probability: float = Field(default=0.65, ge=0, le=1, description="Of the language, by the model.")

    @field_validator("keep", mode="before")
    @classmethod
    def _of_one(cls, value: object) -> object:
        return listed(value)

    @field_validator("keep")
    @classmethod
    def _are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for language in value:
            if language not in known_languages():
                raise ValueError(f"unknown language '{language}'.{did_you_mean(language, known_languages())}")
        return value


class Language(Rule):
    """Documents in another language, or in none for sure."""

    Options = LanguageOptions
    source = "Penedo et al. 2024 (arXiv 2406.17557) for the threshold"

    def judge(self, text: Text) -> Removal | str | None:
        return self.judge_all([text])[0]

    def judge_all(self, texts: Sequence[Text]) -> list[Removal | str | None]:
        return [self._judge(*known) for known in languages_of([text.text for text in texts])]

    def _judge(self, language: str, probability: float) -> Removal | None:
        if language not in self.options.keep:
            return Removal("another language", language, "|".join(self.options.keep))
        if probability < self.options.min_probability:
            return Removal("language not certain", probability, self.options.min_probability)
        return None


class EncodingOptions(Strict):
    """How many faults a document may have."""

    max_faults: float = fraction(0.001, "Of characters that are replaced, control characters or mis-decoded.")


class Encoding(Rule):
    """Documents that were decoded wrongly."""

    Options = EncodingOptions

    def judge(self, text: Text) -> Removal | None:
        ratio = fault_ratio(text.text)
        return (
            Removal("faults of encoding", ratio, self.options.max_faults) if ratio > self.options.max_faults else None
        )


class PatternOptions(Strict):
    """What a document must not hold, or must."""

    remove_if: str | None = None
    keep_if: str | None = None

    @field_validator("remove_if", "keep_if")
    @classmethod
    def _compiles(cls, value: str | None) -> str | None:
        try:
            regex.compile(value or "")
        except regex.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value


class Pattern(Rule):
    """Documents in which a regular expression matches, or does not."""

    Options = PatternOptions
    SECONDS = 5.0

    def judge(self, text: Text) -> Removal | None:
        options: PatternOptions = self.options
        if options.remove_if and (match := regex.search(options.remove_if, text.text, timeout=self.SECONDS)):
            return Removal("the pattern matches", match[0][:80], options.remove_if)
        if options.keep_if and not regex.search(options.keep_if, text.text, timeout=self.SECONDS):
            return Removal("the pattern does not match", None, options.keep_if)
        return None
