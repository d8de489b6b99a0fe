"""The rules of MassiveText (Rae et al. 2021, arXiv 2112.11446, Appendix A.1.1 and Table A1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from pydantic import Field

from harness.core.strict_spec import Strict
from harness.corpora.rules.base import Removal, Rule, Text, fraction
from harness.corpora.text.cached import CachedValues
from harness.corpora.text.words import ENDS

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")
SIGNS = frozenset("\"#$%&'()*+,-/:;<=>@[\\]^_`{|}~«´»៖៙៚–—’“”„…∶━►、〈〉《》「」【】％（），１：；～")
"""What is no word by itself, beside signs that end sentences: CCNet's (Wenzek et al. 2020), as datatrove has them."""
CONTROLS = {chr(code) for code in (*range(9), 11, 12, *range(13, 32), *range(127, 160))}


def _is_symbol(letter: str) -> bool:
    return letter in CONTROLS or letter in SIGNS or ENDS.match(letter) is not None


def _is_all_symbols(word: str) -> bool:
    """Whether a word holds nothing but punctuation and control characters."""
    return all(_is_symbol(letter) for letter in word)


LENGTHS = CachedValues(lambda word: 0 if _is_all_symbols(word) else len(word), 1 << 18)
"""Characters of a word that is not all symbols."""
LETTERED = CachedValues(lambda word: any(map(str.isalpha, word)), 1 << 18)
"""Whether a word has a letter."""


class QualityOptions(Strict):
    """Thresholds; null leaves one out."""

    min_words: int | None = Field(default=50, ge=1)
    max_words: int | None = Field(default=100_000, ge=1)
    min_word_length: float | None = Field(default=3, ge=0)
    max_word_length: float | None = Field(default=10, ge=0)
    max_symbol_ratio: float | None = fraction(0.1, "Of # and of ellipses to words.")
    max_bullet_lines: float | None = fraction(0.9, "Of lines that begin with a bullet point.")
    max_ellipsis_lines: float | None = fraction(0.3, "Of lines that end with an ellipsis.")
    min_alphabetic_words: float | None = fraction(0.8, "Of words with a letter.")
    min_stop_words: int | None = Field(default=2, ge=1)
    stop_words: tuple[str, ...] = STOP_WORDS


class GopherQuality(Rule):
    """Lengths, symbols, bullets and stop words of a document."""

    Options = QualityOptions
    source = "Rae et al. 2021 (arXiv 2112.11446), A.1.1"

    def judge(self, text: Text) -> Removal | None:
        options: QualityOptions = self.options
        words = text.words
        lengths = list(map(LENGTHS.__getitem__, words))
        count = len(lengths) - lengths.count(0)
        if options.min_words and count < options.min_words:
            return Removal("too few words", count, options.min_words)
        if options.max_words and count > options.max_words:
            return Removal("too many words", count, options.max_words)
        if not count:
            return Removal("no words", 0, 1)
        mean = sum(lengths) / count
        if options.min_word_length and mean < options.min_word_length:
            return Removal("words too short", mean, options.min_word_length)
        if options.max_word_length and mean > options.max_word_length:
            return Removal("words too long", mean, options.max_word_length)
        raw = text.text
        return self._symbols(raw, len(words)) or self._lines(raw.splitlines()) or self._word_kinds(words)

    def _symbols(self, raw: str, words: int) -> Removal | None:
        most = self.options.max_symbol_ratio
        if most and (ratio := raw.count("#") / words) > most:
            return Removal("too many hashes", ratio, most)
        if most and (ratio := (raw.count("...") + raw.count("…")) / words) > most:
            return Removal("too many ellipses", ratio, most)
        return None

    def _lines(self, lines: Sequence[str]) -> Removal | None:
        bullets, ellipses = self.options.max_bullet_lines, self.options.max_ellipsis_lines
        ratio = sum(line.lstrip().startswith(("•", "-")) for line in lines) / len(lines)
        if bullets and ratio > bullets:
            return Removal("too many bullet lines", ratio, bullets)
        ratio = sum(line.rstrip().endswith(("...", "…")) for line in lines) / len(lines)
        if ellipses and ratio > ellipses:
            return Removal("too many lines end with an ellipsis", ratio, ellipses)
        return None

    def _word_kinds(self, words: Sequence[str]) -> Removal | None:
        options: QualityOptions = self.options
        if options.min_alphabetic_words:
            ratio = sum(map(LETTERED.__getitem__, words)) / len(words)
            if ratio < options.min_alphabetic_words:
                return Removal("too few words with a letter", ratio, options.min_alphabetic_words)
        if options.min_stop_words:
            count = len(set(options.stop_words).intersection(words))
            if count < options.min_stop_words:
                return Removal("too few stop words", count, options.min_stop_words)
        return None


def _ratios(default: dict[int, float]) -> Any:
    return Field(default=default, description="The largest fraction of characters, by n.")


class RepetitionOptions(Strict):
    """Thresholds; null leaves one out."""

    min_words: int | None = Field(default=None, ge=1, description="Shorter documents are not judged.")
    max_duplicate_lines: float | None = fraction(0.3, "Of lines that stood before.")
    max_duplicate_paragraphs: float | None = fraction(0.3, "Of paragraphs that stood before.")
    max_duplicate_line_characters: float | None = fraction(0.2, "Of characters in such lines.")
    max_duplicate_paragraph_characters: float | None = fraction(0.2, "Of characters in such paragraphs.")
    top_ngrams: dict[int, float] = _ratios({2: 0.2, 3: 0.18, 4: 0.16})
    duplicate_ngrams: dict[int, float] = _ratios({5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10})


class GopherRepetition(Rule):
    """Lines, paragraphs and n-grams that come again within a document."""

    Options = RepetitionOptions
    source = "Rae et al. 2021 (arXiv 2112.11446), Table A1"

    def judge(self, text: Text) -> Removal | None:
        options: RepetitionOptions = self.options
        if options.min_words and len(text.words) < options.min_words:
            return None
        size = len(text.text)
        parts = (
            (
                "paragraph",
                text.paragraphs,
                options.max_duplicate_paragraphs,
                options.max_duplicate_paragraph_characters,
            ),
            ("line", text.lines, options.max_duplicate_lines, options.max_duplicate_line_characters),
        )
        for name, pieces, most, most_characters in parts:
            count, characters = duplicates(pieces)
            if most and (ratio := count / len(pieces)) > most:
                return Removal(f"duplicate {name}s", ratio, most)
            if most_characters and (ratio := characters / size) > most_characters:
                return Removal(f"characters in duplicate {name}s", ratio, most_characters)
        return self._top(text.words, size) or self._again(text.words, size)

    def _top(self, words: list[str], size: int) -> Removal | None:
        bounds = _bounds(words)
        for n, most in sorted(self.options.top_ngrams.items()):
            if n > len(words):
                continue
            if all(count * (n * longest + n - 1) <= most * size for count, longest in bounds):
                continue
            counts = Counter(zip(*(words[start:] for start in range(n)), strict=False))
            ngram, most_often = max(counts.items(), key=lambda item: item[1])
            if (ratio := (sum(map(len, ngram)) + n - 1) * most_often / size) > most:
                return Removal(f"most frequent {n}-gram", ratio, most)
        return None

    def _again(self, words: list[str], size: int) -> Removal | None:
        joined = "".join(words)
        ends = [0, *accumulate(map(len, words))]
        longest, again = max(map(len, words), default=0), len(words)
        for n, most in sorted(self.options.duplicate_ngrams.items()):
            if again * n * longest <= most * size:  # no more n-grams come again than shorter ones did
                continue
            ngrams = [joined[start:end] for start, end in zip(ends, ends[n:], strict=False)]
            distinct = set(ngrams)
            again = len(ngrams) - len(distinct)
            if again * n * longest <= most * size:
                continue
            if sum(map(len, ngrams)) - sum(map(len, distinct)) <= most * size:  # were those counted that overlap
                continue
            if (ratio := repeated_characters(ngrams, n) / size) > most:
                return Removal(f"duplicate {n}-grams", ratio, most)
        return None


def _bounds(words: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of a count and the characters of the longest word that stands so often or oftener: an n-gram that stands so
    often has no longer word.
    """
    by_word = Counter(words)
    longest = {1: max(map(len, by_word), default=0)}
    for word, count in [item for item in by_word.items() if item[1] > 1]:
        if len(word) > longest.get(count, 0):
            longest[count] = len(word)
    counts = sorted(longest, reverse=True)
    return list(zip(counts, accumulate((longest[count] for count in counts), max), strict=True))


def duplicates(pieces: Sequence[str]) -> tuple[int, int]:
    """How many pieces stood before, and their characters."""
    seen = set(pieces)
    if len(seen) == len(pieces):
        return 0, 0
    return len(pieces) - len(seen), sum(map(len, pieces)) - sum(map(len, seen))


def repeated_characters(ngrams: Sequence[str], n: int) -> int:
    """The characters of n-grams that stood before, where those that overlap with one already counted are not counted.

    Args:
        ngrams: The n-grams in order, words without white space between them.
        n: Words of an n-gram.
    """
    seen: set[str] = set()
    characters = index = 0
    while index < len(ngrams):
        ngram = ngrams[index]
        if ngram in seen:
            characters += len(ngram)
            index += n
        else:
            seen.add(ngram)
            index += 1
    return characters
