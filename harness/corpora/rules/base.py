"""What a rule is, and the text it judges."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from pydantic import Field

from harness.core import plugins
from harness.core.strict_spec import Strict, parse
from harness.corpora.text.words import Splitter, Words, words_by

RULES: plugins.Plugins[type[Rule]] = plugins.table("rule")
PARAGRAPHS = re.compile(r"\n{2,}")
LINES = re.compile(r"\n+")


class Text:
    """A document while it is judged: what several rules need of it is computed once.

    Attributes:
        text: The text.
        metadata: The other fields of its record.
    """

    def __init__(self, text: str, metadata: Mapping[str, Any] | None = None, splitter: Splitter = "rules") -> None:
        self.text = text
        self.metadata = metadata or {}
        self.splitter: Words = words_by(splitter)

    @cached_property
    def words(self) -> list[str]:
        """Its words, punctuation among them."""
        return self.splitter.of(self.text)

    @cached_property
    def lines(self) -> list[str]:
        """What stands between line ends."""
        return LINES.split(self.text)

    @cached_property
    def paragraphs(self) -> list[str]:
        """What stands between blank lines."""
        return PARAGRAPHS.split(self.text.strip())


@dataclass(frozen=True, slots=True)
class Removal:
    """Why a document is removed.

    Attributes:
        reason: One of the rule's reasons.
        value: What was measured, where something was.
        limit: What it had to keep to.
    """

    reason: str
    value: float | str | None = None
    limit: float | str | None = None


class Rule:
    """A rule; one of one's own extends this class and is registered: `register("rule", NAME, MyRule)`.

    Attributes:
        Options: Its settings, a data class that refuses what it does not know.
        source: What its thresholds are taken from.
    """

    Options: ClassVar[type[Strict]] = Strict
    source: ClassVar[str] = ""

    def __init__(self, options: Any) -> None:
        self.options = options

    def judge(self, text: Text) -> Removal | str | None:
        """Judge a document, by itself alone.

        Args:
            text: The document, as the rules before have left it.

        Returns:
            None: it is kept. A text: it is kept and becomes this text. A Removal: it is removed.
        """
        raise NotImplementedError

    def judge_all(self, texts: Sequence[Text]) -> list[Removal | str | None]:
        """Judge several documents, each as `judge` does; a rule that is faster at many together does it here."""
        return [self.judge(text) for text in texts]


class NoOptions(Strict):
    """A rule without settings."""


def make_rule(name: str, options: Mapping[str, Any], where: str) -> Rule:
    """The rule of that name. Raises HarnessError for an unknown one, and for settings it does not have."""
    kind = RULES.get(name, where)
    return kind(parse(kind.Options, dict(options), f"{where}: {name}"))


def fraction(default: float, description: str) -> Any:
    """A setting that is a fraction, or None, which leaves that part of the rule out."""
    return Field(default=default, ge=0, le=1, description=description)
