"""Files that somebody else may have written: regular ones only, of bounded size, in UTF-8; JSON of bounded depth whose
numbers are finite and fit 64 bits. Every reader of a document opens its file here.
"""

from __future__ import annotations

import json
import os
import re
import stat
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader, TextIOWrapper
from math import isfinite
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError

DOCUMENT = 2**26
"""Bytes of a JSON document: a baseline of a large suite has a tenth of it."""
DATA = 2**33
"""Bytes of a file of examples."""
PACKED = ".gz"
DEEPEST = 100
"""Lists and mappings inside one another."""
LARGEST = 2**63
BRACKETS = re.compile(r"[\[\]{}]")


class ReadingError(HarnessError):
    """A file that cannot be read as what it should be. `reason` says why, without the file's name. `closed`: it
    may be in order, but cannot be opened: no permission, or a disk that fails.
    """

    def __init__(
        self, path: Path | str, reason: str, missing: bool = False, line: int | None = None, closed: bool = False
    ) -> None:
        super().__init__(f"{path}{f', line {line}' if line else ''}: {reason}")
        self.reason = reason
        self.missing = missing
        self.closed = closed
        self.line = line


def read_bytes(path: Path, most: int = DOCUMENT) -> bytes:
    """The bytes of a regular file. A pipe or a device is never waited for.

    Args:
        path: The file.
        most: The largest size that is read.

    Raises:
        ReadingError: nothing there, no regular file, no permission, or a larger one.
    """
    try:
        with _opened(path, most) as file:
            return file.read(most)
    except OSError as error:
        raise _closed(path, error) from None
    except ValueError as error:  # a null character in the name
        raise ReadingError(path, str(error)) from None


def _opened(path: Path, most: int) -> BufferedReader:
    """A regular file of at most so many bytes. Raises ReadingError for another, OSError and ValueError as `open`."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    file = open(handle, "rb")  # noqa: PTH123, SIM115 - of a handle, and closed by who asked
    facts = os.fstat(handle)
    reason = ""
    if not stat.S_ISREG(facts.st_mode):
        reason = "a folder" if stat.S_ISDIR(facts.st_mode) else "no regular file"
    elif facts.st_size > most:
        reason = f"too large: {facts.st_size:,} bytes, at most {most:,} are read"
    if reason:
        file.close()
        raise ReadingError(path, reason)
    return file


def _closed(path: Path, error: OSError) -> ReadingError:
    missing = isinstance(error, FileNotFoundError | NotADirectoryError)
    closed = not missing and not isinstance(error, IsADirectoryError)
    return ReadingError(path, _why(error), missing, closed=closed)


@contextmanager
def text_stream(path: Path, most: int, newline: str) -> Iterator[TextIOWrapper]:
    """The text of a UTF-8 file that is read bit by bit, without byte order mark.

    Args:
        path: The file, not packed.
        most: The largest size that is read.
        newline: Where its lines end, as `open` has it.

    Raises:
        ReadingError: as `read_bytes` does.
        UnicodeDecodeError: while it is read, where it is not UTF-8; `read_text` says in which line.
    """
    try:
        file = _opened(path, most)
    except OSError as error:
        raise _closed(path, error) from None
    with TextIOWrapper(file, encoding="utf-8-sig", newline=newline) as text:
        yield text


def read_text(path: Path, most: int = DOCUMENT) -> str:
    """The text of a UTF-8 file, unpacked where it ends in `.gz`, without byte order mark. Raises ReadingError as
    `read_bytes` does, and with the line of what is not UTF-8.
    """
    content = read_bytes(path, most)
    if path.suffix == PACKED:
        content = _unpacked(path, content, most)
    try:
        return content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ReadingError(
            path, f"not UTF-8 (byte 0x{content[error.start]:02x} at offset {error.start})", line=line
        ) from None


def _unpacked(path: Path, content: bytes, most: int) -> bytes:
    """The bytes in a gzip file, all of its members. Raises ReadingError where it is none, cut off, or holds more."""
    parts: list[bytes] = []
    size = 0
    while content:
        unpack = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            parts.append(unpack.decompress(content, most + 1 - size))
        except zlib.error as error:
            raise ReadingError(path, f"no gzip file: {error}") from None
        size += len(parts[-1])
        if size > most:
            raise ReadingError(path, f"too large: more than {most:,} bytes when unpacked")
        if not unpack.eof:
            raise ReadingError(path, "the gzip file is cut off; fetch it again")
        content = unpack.unused_data
    return b"".join(parts)


def read_json(path: Path, most: int = DOCUMENT, finite: bool = True) -> Any:
    """What a JSON file holds.

    Args:
        path: The file.
        most: The largest size that is read.
        finite: Refuse NaN and infinite numbers.

    Raises:
        ReadingError: as `read_text` does, or no JSON, nested too deeply, or a number that is not finite or too large.
    """
    text = read_text(path, most)
    if not text.strip():
        raise ReadingError(path, "the file is empty")
    try:
        return parse_json(text, finite)
    except JsonError as error:
        raise ReadingError(path, str(error), line=error.line) from None


def read_object(path: Path, most: int = DOCUMENT, finite: bool = True) -> dict[str, Any]:
    """The object a JSON file holds. Raises ReadingError as `read_json` does, or for anything else than an object."""
    value = read_json(path, most, finite)
    if not isinstance(value, dict):
        raise ReadingError(path, f"a JSON object is expected, found {kind_of(value)}")
    return value


class JsonError(ValueError):
    """What is wrong with a JSON text, and in which line where that is known."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def parse_json(text: str | bytes, finite: bool = True) -> Any:
    """What a JSON text holds. Raises JsonError as `read_json` describes."""
    hooks: Any = {"parse_int": _integer, "parse_float": _number, "parse_constant": _number} if finite else {}
    try:
        value = json.loads(text, **hooks)
    except RecursionError:
        raise JsonError("not JSON: nested too deeply") from None
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg} at character {error.colno}", error.lineno) from None
    except JsonError:
        raise
    except ValueError:
        raise JsonError("not JSON: a number of too many digits") from None
    whole = text if isinstance(text, str) else text.decode(errors="replace")
    if "\\ud" in whole or "\\uD" in whole or _may_be_deep(whole):
        check_values(value)
    return value


def _integer(digits: str) -> int:
    number = int(digits)
    if not -LARGEST <= number < LARGEST:
        raise JsonError(f"a number of {len(digits)} digits, 64 bits are read")
    return number


def _number(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise JsonError(f"{number} is no finite number")
    return number


def _may_be_deep(text: str) -> bool:
    """Whether brackets, those in texts included, stand deeper in one another than is read."""
    depth = 0
    for bracket in BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        if depth >= DEEPEST:
            return True
    return False


def check_values(value: Any) -> None:
    """Raises JsonError for a nesting deeper than `DEEPEST`, or half of a surrogate pair."""
    level: list[Any] = [value]
    for _ in range(DEEPEST):
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
                for key in item:
                    _check_text(key)
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str):
                _check_text(item)
        if not below:
            return
        level = below
    raise JsonError(f"nested too deeply, {DEEPEST} levels are read")


def _check_text(text: Any) -> None:
    if isinstance(text, str) and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise JsonError("a text with half of a surrogate pair") from None


def kind_of(value: Any) -> str:
    """What JSON calls a value's type."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def is_file(path: Path) -> bool:
    """Whether a regular file is there; False for names that no file can have."""
    with suppress(OSError, ValueError):
        return path.is_file()
    return False


def is_folder(path: Path) -> bool:
    """Whether a folder is there; False for names that no folder can have."""
    with suppress(OSError, ValueError):
        return path.is_dir()
    return False


def expanded(name: str) -> Path:
    """The path of a name, `~` for the home folder; as it is where there is no such home."""
    path = Path(name)
    with suppress(RuntimeError):
        return path.expanduser()
    return path


def regular_files(paths: Iterable[Path]) -> list[Path]:
    """Those that are regular files."""
    return [path for path in paths if is_file(path)]


def _why(error: OSError) -> str:
    if isinstance(error, IsADirectoryError):
        return "a folder"
    return error.strerror or str(error) or "it cannot be read"
