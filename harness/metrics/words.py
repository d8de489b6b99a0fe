"""Words of a text, in scripts with and without spaces between them."""

from __future__ import annotations

import re

CJK = "\u3005\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
"""Chinese characters and Japanese syllables, as a regular expression's class has them between its brackets: scripts
written without spaces, where each character counts as a word. Korean has spaces.
"""

_ONE = re.compile(f"[{CJK}]")
_WORD = re.compile(rf"[{CJK}]|[^\W{CJK}]+|[^\w\s]")


def has_cjk(text: str) -> bool:
    return _ONE.search(text) is not None


def words(text: str) -> list[str]:
    """Words, punctuation marks and CJK characters, one each, in their letter case."""
    return _WORD.findall(text)
