"""Texts as messages quote them, and messages as people get them."""

from __future__ import annotations

import json
import os
import sys

LONGEST_MESSAGE = 450
"""Characters of a message."""


def quoted(text: str) -> str:
    """In quotes, so that spaces show; line ends and control characters escaped."""
    return json.dumps(text, ensure_ascii=False)


def shown(text: str) -> str:
    """The text, or the beginning of a long one, in quotes."""
    return quoted(text if len(text) <= 30 else f"{text[:29]}…")


def clipped(text: str, most: int = 80) -> str:
    """The text, or the beginning and the end of a longer one."""
    end = most // 3
    return text if len(text) <= most else f"{text[: most - end - 3]} … {text[-end:]}"


def one_line(text: str) -> str:
    """A message as it is shown to a person: in one line that is read at a glance."""
    return clipped(" ".join(text.split()), LONGEST_MESSAGE)


def say(line: str) -> None:
    """A line for a person, on stderr."""
    print(line, file=sys.stderr, flush=True)


def emit(text: str) -> None:
    """Prints a result whose exit code stands, whether or not anybody reads it to its end."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - or the interpreter complains at exit
