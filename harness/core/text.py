"""Texts as messages quote them, and messages as people get them."""

from __future__ import annotations

import codecs
import io
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

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
    return clipped(visible(" ".join(text.split())), LONGEST_MESSAGE)


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


HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
"""What moves a terminal's cursor, colours it, turns the direction of writing, or is no character."""
COMMAND = re.compile(r"^(\s*)::", re.MULTILINE)
"""What GitHub's runner takes for a command, wherever it comes from."""
ESCAPES = "harness-escapes"
"""How streams write what their encoding does not have: as JSON does."""


def visible(text: str) -> str:
    """The text with control characters as JSON escapes them; line ends and tabs stay."""
    return HIDDEN.sub(lambda match: _escape(match[0]), text)


def _escape(letters: str) -> str:
    units = letters.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))


def _escaped_for(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _escape(error.object[error.start : error.end]), error.end


codecs.register_error(ESCAPES, _escaped_for)


def prepare_streams() -> None:
    """Let stdout and stderr write every character, whatever their encoding: on Windows pipes are cp1252, elsewhere a
    bare environment may be ASCII. What they lack is escaped, in JSON as JSON escapes it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ESCAPES)


def _as_data(text: str) -> str:
    """Text that a terminal and GitHub's runner show and do not follow."""
    return COMMAND.sub(r"\1\\u003a:", visible(text))


def say(line: str) -> None:
    """A line for a person, on stderr."""
    _write(_as_data(line), sys.stderr)


def emit(text: object, commands: Sequence[str] = ()) -> None:
    """Prints a result whose exit code stands, whether or not anybody reads it to its end.

    Args:
        text: What it is; control characters in it are escaped, and what GitHub's runner would take for a command.
        commands: Lines for GitHub's runner, which come last and are printed as they are.
    """
    _write("\n".join([_as_data(str(text)), *([""] if commands else []), *commands]), sys.stdout)


def _write(text: str, stream: Any) -> None:
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:  # nobody reads on, as in `harness leaderboard | head`
        silenced = open(os.devnull, "w")  # noqa: SIM115, PTH123 - or the interpreter complains at exit
        if stream is sys.stdout:
            sys.stdout = silenced
        else:
            sys.stderr = silenced


def size_text(size: float) -> str:
    """`3.4 MB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f"{size:.0f} B" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError
