"""Which of several answers a text names: the rule by which a model is scored that gives texts and no likelihoods."""

from __future__ import annotations

import re
from collections.abc import Sequence

RULE = (
    "the answer that the text begins with, the longest of several; else the one that stands in it first, as whole "
    "words; case and white space do not count"
)


def matched(text: str, answers: Sequence[str]) -> int | None:
    """The number of the answer that a text names by `RULE`; None where it names none."""
    plain_text = _plain(text)
    places = [
        (match.start(), -len(plain), index)
        for index, plain in enumerate(map(_plain, answers))
        if plain and (match := re.search(rf"(?<!\w){re.escape(plain)}(?!\w)", plain_text))
    ]
    return min(places)[2] if places else None


def _plain(text: str) -> str:
    """In small letters, without white space and quotes around it, and with single spaces in it."""
    return " ".join(text.casefold().split()).strip("\"'“”‘’ ")
