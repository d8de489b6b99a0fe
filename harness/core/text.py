"""Texts as messages quote them, and messages as people get them."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import PurePath

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


ABSOLUTE = re.compile(r"(?<![\w/.:~\\-])(?:~?/|[A-Za-z]:\\)(?:[^\s'\",;:()]*[/\\])?([^\s'\",;:()/\\]+)")
"""A path from the root, a home or a drive on; its last name."""


def without_paths(text: str) -> str:
    """A text that is shared, its absolute paths by their last names: who works where is nobody's business."""
    return ABSOLUTE.sub(r"\1", text)


def place_name(place: str) -> str:
    """What a folder or file is called where others read it: its last name."""
    return PurePath(place.replace("\\", "/")).name or place


def origin_name(pretrained: str) -> str:
    """What weights are called where others read it: an id of the hub as it is, a folder by its name."""
    is_place = pretrained.startswith((".", "~", "/")) or "\\" in pretrained or PurePath(pretrained).is_absolute()
    return place_name(pretrained) if is_place else pretrained


def say(line: str) -> None:
    """A line for a person, on stderr."""
    print(line, file=sys.stderr, flush=True)


def emit(text: str) -> None:
    """Prints a result whose exit code stands, whether or not anybody reads it to its end."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - or the interpreter complains at exit
