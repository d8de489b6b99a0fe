"""What a tokenizer loses of a text, and what it costs to give it back.

A model assigns a probability to token ids. It is one of the text only where the ids give the text back. A tokenizer
that lower-cases, normalizes, or writes one id for every unknown word gives many texts the same ids, and their
likelihood, which is that of all of them together, would be taken for that of the one. So the rest of the code is
charged: an edit script from what the ids say to the text, of which each edit costs its place, its length and the bytes
written. It is a prefix code, so that the sum stays a probability of the text, if not the largest one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

BYTE = math.log(256)
WORDS = re.compile(r"\s|[^\s]+")
WINDOW = 48
"""Words or characters that are compared at once."""


def charge(text: str, decoded: str) -> float:
    """The price of a text when what its token ids say is known.

    Args:
        text: The text.
        decoded: What its token ids give back.

    Returns:
        Nats; 0 where both are equal.
    """
    if text == decoded:
        return 0.0
    place = 2 * math.log(len(decoded) + 2)  # where an edit begins, and how much it takes away
    nats = math.log(len(text) + len(decoded) + 2)  # how many there are
    for written in _edits(text, decoded):
        nats += place + (len(written.encode("utf-8", "surrogatepass")) + 1) * BYTE
    return nats


def _edits(text: str, decoded: str) -> list[str]:
    """What each edit writes: by words, and by characters within words that are not the same."""
    ours, theirs = WORDS.findall(text), WORDS.findall(decoded)
    by_words = ("".join(word) for pair in _differences(theirs, ours) for word in pair)
    return [after for pair in zip(by_words, by_words, strict=True) for _, after in _differences(*pair)]


def _differences(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    """The parts of two sequences that differ. They are walked side by side, `WINDOW` items at a time."""
    at, other = 0, 0
    while at < len(before) or other < len(after):
        if at < len(before) and other < len(after) and before[at] == after[other]:
            at, other = at + 1, other + 1
            continue
        far, near = before[at : at + WINDOW], after[other : other + WINDOW]
        changes = SequenceMatcher(None, far, near, autojunk=False).get_opcodes()
        if at + WINDOW < len(before) or other + WINDOW < len(after):
            while changes[-1][0] != "equal" and len(changes) > 1:
                changes.pop()
        for kind, first, last, begin, end in changes:
            if kind != "equal":
                yield far[first:last], near[begin:end]
        at, other = at + changes[-1][2], other + changes[-1][4]
