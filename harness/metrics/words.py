"""Words of a text, in scripts with and without spaces between them."""

from __future__ import annotations

import re

import regex

CJK = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
"""Chinese characters and Japanese syllables, as a regular expression's class has them between its brackets: scripts
written without spaces, where each character counts as a word. Korean has spaces.
"""
SPACELESS = CJK + "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""These, and the letters of Thai, Lao, Burmese and Khmer, which are written without spaces as well."""

_CJK = re.compile(f"[{CJK}]")
_CHARACTER = rf"[[{SPACELESS}]&&[\p{{L}}\p{{N}}]]\p{{M}}*"
_LETTER = r"\p{L}\p{M}\p{N}\u200c\u200d"
_WORD = regex.compile(rf"{_CHARACTER}|[[{_LETTER}_]--[{SPACELESS}]]+|[^\w\s\p{{M}}]", regex.V1)
NOT_LATIN = regex.compile(
    rf"({_CHARACTER}|[[\p{{L}}\p{{N}}]--[{SPACELESS}\p{{Latin}}0-9]][[{_LETTER}]--[{SPACELESS}\p{{Latin}}0-9]]*)",
    regex.V1,
)
"""A word, or a character that counts as one, of a script other than the Latin one."""


def has_cjk(text: str) -> bool:
    return _CJK.search(text) is not None


def words(text: str) -> list[str]:
    """Words, punctuation marks and characters of scripts without spaces, one each, in their letter case."""
    return _WORD.findall(text)
