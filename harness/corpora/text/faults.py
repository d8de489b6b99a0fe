"""Text that was decoded wrongly: replacement characters, control characters, UTF-8 read as cp1252."""

from __future__ import annotations

from collections import Counter

import regex

MISDECODED = regex.compile(
    "[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
    "|\u00e2\u20ac[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017e\u02dc\u201c\u201d\u2022\u2122\u2013\u2014\u00a6]"
    "|\u00ef\u00bf\u00bd|\u00f0\u0178"
)
"""The first bytes of UTF-8 sequences as cp1252 or Latin-1 shows them: `Ã©` of é, `â€™` of ’."""
CONTROL = regex.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f]")
REPLACED = "\ufffd"
SUSPECT = regex.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x9f\ufffd\u00c2\u00c3\u00e2\u00ef\u00f0]")
"""What any fault begins with."""


def faults_of(text: str) -> Counter[str]:
    """How often each kind of fault stands in a text: `replaced`, `control characters`, `mis-decoded`."""
    counts: Counter[str] = Counter()
    if text.isascii() and text.isprintable():
        return counts
    if SUSPECT.search(text) is None:
        return counts
    for kind, count in (
        ("replaced", text.count(REPLACED)),
        ("control characters", len(CONTROL.findall(text))),
        ("mis-decoded", len(MISDECODED.findall(text))),
    ):
        if count:
            counts[kind] = count
    return counts


def fault_ratio(text: str) -> float:
    """Faults of encoding to characters."""
    return faults_of(text).total() / max(1, len(text))
