"""Texts as messages quote them, and messages as people get them."""

from __future__ import annotations

import json
import sys


def quoted(text: str) -> str:
    """In quotes, so that spaces show; line ends and control characters escaped."""
    return json.dumps(text, ensure_ascii=False)


def shown(text: str) -> str:
    """The text, or the beginning of a long one, in quotes."""
    return quoted(text if len(text) <= 30 else f"{text[:29]}…")


def say(line: str) -> None:
    """A line for a person, on stderr."""
    print(line, file=sys.stderr, flush=True)
