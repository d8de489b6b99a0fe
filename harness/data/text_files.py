"""Text files: read whole where they are small, line by line into columns that stay in a file where they are large."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from harness.core import reading
from harness.core.columns import mapped_columns
from harness.core.errors import HarnessError
from harness.core.reading import PACKED, ReadingError

LARGE = 2**23
"""Bytes of a file that is not held in memory."""
LOOKED_AT = 2**20
"""Bytes in which a large file has the end of a line."""


def read_text(path: Path) -> str:
    """A file's text without byte order mark. Raises HarnessError with the byte and line that is not UTF-8."""
    try:
        text = reading.read_text(path, reading.DATA)
    except ReadingError as error:
        if error.line is not None:
            raise HarnessError(f"{path}:{error.line}: {error.reason}; convert the file to UTF-8") from None
        raise HarnessError(f"cannot read {path}: {error.reason}") from None
    if not text.strip():
        raise HarnessError(f"{path}: the file is empty")
    return text


def lines_of(text: str) -> list[str]:
    """Lines end at LF or CRLF, or at CR in a text without LF: `str.splitlines` would also cut at separators that
    sentences hold.
    """
    lines = text.split("\n" if "\n" in text else "\r")
    if lines[-1] == "":
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def is_large(path: Path) -> bool:
    """Whether a file is not to be held in memory. Packed ones are, and those without LF."""
    try:
        if path.suffix == PACKED or path.stat().st_size < LARGE:
            return False
        with path.open("rb") as file:
            return b"\n" in file.read(LOOKED_AT)
    except (OSError, ValueError):  # also a null character in the name
        return False  # the reader says why


@contextmanager
def opened(path: Path, newline: str = "") -> Iterator[TextIO]:
    """A file's text, to be read once, with its lines' ends as they are.

    Raises:
        HarnessError: as `read_text` does, also while it is read.
    """
    if not is_large(path):
        yield io.StringIO(read_text(path), newline=newline)
        return
    try:
        with reading.text_stream(path, reading.DATA, newline) as text:
            yield text
    except (UnicodeDecodeError, OSError, ReadingError):
        read_text(path)  # says what is wrong, and where
        raise


def lines_in(path: Path) -> Iterator[tuple[str, bool]]:
    """The lines of a file as `lines_of` has them, and whether it ends without an end of line after each.

    Raises:
        HarnessError: as `read_text` does.
    """
    if not is_large(path):
        text = read_text(path)
        lines = lines_of(text)
        last = 0 if text.endswith("\n") else len(lines)
        yield from ((line, number == last) for number, line in enumerate(lines, start=1))
        return
    blank = True
    with opened(path, "\n") as stream:
        for line in stream:
            blank = blank and not line.strip()
            yield line.removesuffix("\n").removesuffix("\r"), not line.endswith("\n")
    if blank:
        read_text(path)  # refuses it


def columns_of(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """The rows of a file as columns, which stay in a file where it is large.

    Args:
        path: The file they come from.
        names: What its columns are called.
        rows: Each with so many texts; taken once.

    Returns:
        The columns.
    """
    if is_large(path):
        columns = mapped_columns(len(names), rows)
        if not any(map(len, columns)):
            read_text(path)  # refuses one without text
        return list(columns)
    held = list(rows)
    return [[row[place] for row in held] for place in range(len(names))]
