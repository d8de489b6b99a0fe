"""English contractions, written out and drawn together: `do not`, `don't`."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from harness.core.strict_spec import Strict
from harness.data.augment.base import TextOperation, rate
from harness.data.augment.draws import Draws
from harness.data.augment.text import Pieces, Span, Text

PRONOUN = r"(?!\s+(?:i|you|he|she|it|we|they|there|this|that)\b)"
"""Not before a pronoun: `don't you` is no `do not you`."""
GOES_ON = r"(?=\s+[a-z])"
"""Not at an end: `there they are` is no `there they're`."""
PARTICIPLE = r"(?=\s+(?:been|had|seen|done|gone|made|taken|\w+ed)\b)"
AUXILIARY = "is|are|was|were|do|does|did|has|have|had|could|would|should|must|need"
Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def _rule(pattern: str, new: Callable[[re.Match[str]], str]) -> Rule:
    return re.compile(rf"(?<![\w'’-]){pattern}", re.I), new


EXPANDED: tuple[Rule, ...] = (
    _rule(rf"(ca) ?n['’]t\b{PRONOUN}", lambda match: f"{match[1]}nnot"),
    _rule(rf"(w)o ?n['’]t\b{PRONOUN}", lambda match: f"{match[1]}ill not"),
    _rule(rf"({AUXILIARY}) ?n['’]t\b{PRONOUN}", lambda match: f"{match[1]} not"),
    _rule(r"(i) ?['’]m\b", lambda match: f"{match[1]} am"),
    _rule(r"(you|we|they) ?['’]re\b", lambda match: f"{match[1]} are"),
    _rule(r"(i|you|we|they|would|could|should|must) ?['’]ve\b", lambda match: f"{match[1]} have"),
    _rule(r"(i|you|he|she|it|we|they|that|there|who) ?['’]ll\b", lambda match: f"{match[1]} will"),
)
CONTRACTED: tuple[Rule, ...] = (
    _rule(r"(ca)n ?not\b", lambda match: f"{match[1]}n't"),
    _rule(r"(w)ill not\b", lambda match: f"{match[1]}on't"),
    _rule(rf"({AUXILIARY}) not\b", lambda match: f"{match[1]}n't"),
    _rule(rf"(i) am\b{GOES_ON}", lambda match: f"{match[1]}'m"),
    _rule(rf"(you|we|they) are\b{GOES_ON}", lambda match: f"{match[1]}'re"),
    _rule(rf"(i|you|we|they) have\b{PARTICIPLE}", lambda match: f"{match[1]}'ve"),
    _rule(rf"(i|you|he|she|it|we|they) will\b(?!\s+not\b){GOES_ON}", lambda match: f"{match[1]}'ll"),
)  # fmt: skip


class ContractionsOptions(Strict):
    """Which way, and how many.

    Attributes:
        mode: `either` draws one for a text.
        rate: Of those that are there.
    """

    mode: Literal["expand", "contract", "either"] = "either"
    rate: float = rate(1.0, "Of those that are there.")


class Contractions(TextOperation):
    """English contractions written out, or drawn together where that is sure."""

    Options = ContractionsOptions
    changes = "style"

    def apply(self, text: Text, draws: Draws) -> Pieces:
        expands = draws.chance(0.5) if self.options.mode == "either" else self.options.mode == "expand"
        rules = EXPANDED if expands else CONTRACTED
        matches = [(Span(*match.span()), new(match)) for pattern, new in rules for match in pattern.finditer(text.text)]
        edits: list[tuple[Span, str | Span]] = []
        for span, new in sorted(matches):
            free = not any(span.overlaps(other) for other in [*text.answers, *(edit[0] for edit in edits)])
            if free and draws.chance(self.options.rate):
                edits.append((span, _in_case(text[span], new)))
        return text.edited(edits)


def _in_case(old: str, new: str) -> str:
    letters = [letter for letter in old if letter.isalpha()]
    return new.upper() if len(letters) > 2 and all(letter.isupper() for letter in letters) else new
