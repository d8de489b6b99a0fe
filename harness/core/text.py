"""Texts as messages quote them."""

from __future__ import annotations

import json


def quoted(text: str) -> str:
    """In quotes, so that spaces show; line ends and control characters escaped."""
    return json.dumps(text, ensure_ascii=False)


def shown(text: str) -> str:
    """The text, or the beginning of a long one, in quotes."""
    return quoted(text if len(text) <= 30 else f"{text[:29]}…")
