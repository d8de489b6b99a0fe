"""The rules that FineWeb adds (Penedo et al. 2024, arXiv 2406.17557, section 3.6)."""

from __future__ import annotations

from pydantic import Field

from harness.core.strict_spec import Strict
from harness.corpora.rules.base import Removal, Rule, Text, fraction
from harness.corpora.rules.gopher import duplicates
from harness.corpora.text.words import ENDS


class FineWebOptions(Strict):
    """Thresholds; null leaves one out."""

    min_lines_with_punctuation: float | None = fraction(0.12, "Of lines that end with terminal punctuation.")
    max_short_lines: float | None = fraction(0.67, "Of lines that are short.")
    short_line: int = Field(default=30, ge=1, description="Characters of a short line.")
    max_duplicate_line_characters: float | None = fraction(0.01, "Of characters in lines that stood before.")
    max_lines_per_word: float | None = fraction(0.3, "Of line ends to words.")


class FineWebQuality(Rule):
    """Lists, menus and lines that come again."""

    Options = FineWebOptions
    source = "Penedo et al. 2024 (arXiv 2406.17557), 3.6"

    def judge(self, text: Text) -> Removal | None:
        options: FineWebOptions = self.options
        lines = [line for line in text.text.split("\n") if line.strip()]
        if not lines:
            return Removal("empty")
        if options.min_lines_with_punctuation is not None:
            ratio = sum(ENDS.match(line[-1]) is not None for line in lines) / len(lines)
            if ratio < options.min_lines_with_punctuation:
                return Removal("too few lines end with punctuation", ratio, options.min_lines_with_punctuation)
        if options.max_short_lines is not None:
            ratio = sum(len(line) <= options.short_line for line in lines) / len(lines)
            if ratio > options.max_short_lines:
                return Removal("too many short lines", ratio, options.max_short_lines)
        if options.max_duplicate_line_characters is not None:
            ratio = duplicates(lines)[1] / len(text.text.replace("\n", ""))
            if ratio > options.max_duplicate_line_characters:
                return Removal("characters in duplicate lines", ratio, options.max_duplicate_line_characters)
        if options.max_lines_per_word is not None:
            ratio = text.text.count("\n") / max(1, len(text.words))
            if ratio > options.max_lines_per_word:
                return Removal("too many line ends", ratio, options.max_lines_per_word)
        return None
