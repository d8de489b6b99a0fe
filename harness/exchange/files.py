"""Files of other tools, opened as all files that somebody else may have written: bounded, and without a traceback."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.reading import JsonError, parse_json, read_text
from harness.core.text import clipped

SAMPLES = 2**31
"""Bytes of a file of single examples."""
MEMBERS = 200_000
"""Files in an archive."""
MEMBER = 2**27
"""Bytes of one of them, unpacked."""
UNPACKED = 2**31
"""Bytes of all that are read."""
RATIO = 1000
"""How many times its packed size a file may have; texts come to some ten."""
ZSTANDARD = 93
WINDOW = 2**27
"""Bytes of memory that unpacking may ask for."""
LOCAL_HEADER = struct.Struct("<4s22x2H")
"""What stands before a packed file: a signature, and at the end the lengths of its name and of more, which follow."""


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Objects of a JSON-lines file with their lines. Raises HarnessError with the line of what is none."""
    for at, line in enumerate(read_text(path, SAMPLES).split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = parse_json(line, finite=False)
        except JsonError as error:
            raise HarnessError(f"{path}, line {at}: {error}; the file may be cut off") from None
        if not isinstance(value, dict):
            raise HarnessError(f"{path}, line {at}: a JSON object is expected")
        yield at, value


class Archive:
    """A zip of JSON files. Sizes are those that come out, whatever the archive says of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._left = UNPACKED
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise HarnessError(f"{path}: no whole zip archive: {clipped(str(error), 100)}") from None
        if len(self._zip.infolist()) > MEMBERS:
            raise HarnessError(f"{path}: {len(self._zip.infolist()):,} files in it; at most {MEMBERS:,} are read")

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *error: object) -> None:
        self._zip.close()

    def names(self) -> list[str]:
        """The files in it, each once."""
        return list(dict.fromkeys(self._zip.namelist()))

    def json(self, name: str) -> Any:
        """What a file in it holds. Raises HarnessError for one that is damaged, too large, or no JSON."""
        where = f"{self._path}, {name}"
        try:
            facts = self._zip.getinfo(name)
            most = min(MEMBER, self._left, RATIO * max(facts.compress_size, 1000))
            if facts.compress_type == ZSTANDARD:
                content = _unpacked(self._path, facts, most + 1)
            else:
                with self._zip.open(facts) as file:
                    content = file.read(most + 1)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
            raise HarnessError(f"{where} cannot be unpacked: {clipped(str(error), 100)}") from None
        if len(content) > most:
            raise HarnessError(
                f"{where} is refused: it unpacks to more than {most:,} bytes from {facts.compress_size:,}"
            )
        self._left -= len(content)
        try:
            return parse_json(content.decode("utf-8"), finite=False)
        except UnicodeDecodeError:
            raise HarnessError(f"{where}: not UTF-8") from None
        except JsonError as error:
            raise HarnessError(f"{where}: {error}") from None


def _unpacked(path: Path, facts: zipfile.ZipInfo, most: int) -> bytes:
    """At most so many bytes of a file that is packed by Zstandard, which `zipfile` knows from Python 3.14 on."""
    try:
        import zstandard
    except ImportError:
        raise HarnessError(f"{path} is packed by Zstandard: pip install 'nlp-harness[zst]'") from None

    with path.open("rb") as file:
        file.seek(facts.header_offset)
        head = file.read(LOCAL_HEADER.size)
        if len(head) < LOCAL_HEADER.size or not head.startswith(b"PK\x03\x04"):
            raise zipfile.BadZipFile("no file where its index says")
        file.seek(sum(LOCAL_HEADER.unpack(head)[-2:]), 1)
        packed = BytesIO(file.read(facts.compress_size))
    try:
        with zstandard.ZstdDecompressor(max_window_size=WINDOW).stream_reader(
            packed, read_across_frames=True
        ) as stream:
            content = stream.read(most)
    except zstandard.ZstdError as error:
        raise zipfile.BadZipFile(str(error)) from None
    if len(content) < most and zlib.crc32(content) != facts.CRC:
        raise zipfile.BadZipFile("its checksum does not fit")
    return content


def mapping(value: Any) -> dict[str, Any]:
    """An object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    """A list, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []


def scalars(value: Any) -> dict[str, Any]:
    """What of an object is a text or a number: settings."""
    return {name: setting for name, setting in mapping(value).items() if isinstance(setting, str | int | float)}


def text(value: Any) -> str:
    """A name or version as text; empty for null."""
    return "" if value is None else value if isinstance(value, str) else str(value)
