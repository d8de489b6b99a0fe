"""The rules of C4 (Raffel et al. 2020, arXiv 1910.10683, section 2.2), and of its code for policies and long words."""

from __future__ import annotations

import re

from pydantic import Field

from harness.core.strict_spec import Strict
from harness.corpora.rules.base import Removal, Rule, Text

CITATION = re.compile(r"\[(?:\d*|edit|citation needed)\]")
TERMINALS = (".", "?", "!", '"', "'")
POLICIES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


class C4Options(Strict):
    """What of C4's rules is applied; null or false leaves one out."""

    min_sentences: int | None = Field(default=5, ge=1)
    min_words_per_line: int | None = Field(default=3, ge=1)
    longest_word: int | None = Field(default=1000, ge=1)
    terminal_punctuation: bool = True
    citations: bool = True
    javascript: bool = True
    policies: bool = True
    lorem_ipsum: bool = True
    curly_brackets: bool = True


class C4Quality(Rule):
    """Keeps lines that are sentences, and documents that have enough of them. The list of bad words is not applied."""

    Options = C4Options
    source = "Raffel et al. 2020 (arXiv 1910.10683), 2.2"

    def judge(self, text: Text) -> Removal | str | None:
        options: C4Options = self.options
        kept: list[str] = []
        sentences = 0
        for line in map(str.strip, text.text.splitlines()):
            words = pieces = line.split()
            if options.longest_word and len(line) > options.longest_word < max(map(len, words)):
                continue
            if options.citations and "[" in line:
                line = CITATION.sub("", line)
                pieces = line.split()
            if options.terminal_punctuation and (not line.endswith(TERMINALS) or line.endswith("...")):
                continue
            if options.min_words_per_line and len(words) < options.min_words_per_line:
                continue
            lowered = line.lower()
            if options.lorem_ipsum and "lorem ipsum" in lowered:
                return Removal("lorem ipsum")
            if options.javascript and "javascript" in lowered:
                continue
            if options.curly_brackets and "{" in line:
                return Removal("curly bracket")
            if options.policies and any(policy in lowered for policy in POLICIES):
                continue
            if options.min_sentences:
                sentences += text.splitter.sentences_of(pieces)
            kept.append(line)
        if options.min_sentences and sentences < options.min_sentences:
            return Removal("too few sentences", sentences, options.min_sentences)
        return "\n".join(kept).strip()
