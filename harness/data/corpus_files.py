"""Files and folders of unlabelled text, read as a stream of documents in little memory, packed or not."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.data.corpus_manifest import manifest_of
from harness.data.document import Corpus, Document, Position, metadata_of
from harness.data.hub_access import one_line

LONGEST_DOCUMENT = 1 << 16
"""Characters; a longer stretch of a text file without a blank line becomes several documents."""

LONGEST_RECORD = 1 << 26
"""Characters; a longer line of a .jsonl file is taken for another format."""

Tell = Callable[[int], None]
"""Called with the bytes of a file that were read."""

PACKINGS = (".gz", ".zst")

CHUNK = 1 << 18
"""Bytes of text taken at once, more where a line is longer."""

PACKED_CHUNK = 512
"""Bytes of a .zst file unpacked at once: they may become 32,000 times as many."""


def corpus_of_path(where: str, field: str) -> Corpus:
    """A file or folder as a corpus; in a folder that `harness corpus filter` wrote, the text it kept.

    Raises:
        HarnessError: nothing there can be read as a corpus.
    """
    made = manifest_of(Path(where))
    if made is not None:
        files = tuple(Path(where) / name for name in made.files)
        field, pin = "text", made.fingerprint
    else:
        files, pin = corpus_files(where), ""
    position = Position()
    read = partial(read_files, files, field, position)
    return Corpus("files", where, read, ["files", field, *filter(None, [pin])], files, made, position)


def corpus_files(where: str) -> tuple[Path, ...]:
    path = Path(where)
    with suppress(RuntimeError):
        path = path.expanduser()
    try:
        is_file, is_folder = path.is_file(), bool(where) and path.is_dir()
    except OSError as error:
        raise unreadable(where, error) from None
    if is_file:
        if _kind(path.name) is None:
            raise HarnessError(f"{where}: files of this kind are not read as a corpus; it takes {_kinds()}")
        files: tuple[Path, ...] = (path,)
    elif is_folder:
        files = _files_below(path)
        if not files:
            raise HarnessError(f"{where}: no file in this folder can be read as a corpus; it takes {_kinds()}")
    else:
        hint = did_you_mean(where, ["synthetic"])
        hint = hint if hint.startswith(" Did") else ""
        raise HarnessError(
            f"no such file or folder: {where or repr(where)}; "
            f"--corpus takes synthetic, hub:ID, a file or a folder.{hint}"
        )
    packed = next((path for path in files if path.suffix.lower() == ".zst"), None)
    if packed is not None:
        _zstandard(packed)
    return files


def _files_below(folder: Path) -> tuple[Path, ...]:
    def refuse(error: OSError) -> None:
        raise unreadable(error.filename, error)

    files: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(parent, name) for name in names if not name.startswith(".") and _kind(name) is not None]
    return tuple(sorted(files, key=lambda path: path.relative_to(folder).as_posix()))


def _kind(name: str) -> str | None:
    """The ending by which a file is read, apart from its packing; None where it is not one of a corpus."""
    name = name.lower()
    packing = next((ending for ending in PACKINGS if name.endswith(ending)), "")
    ending = PurePath(name.removesuffix(packing)).suffix
    return ending if ending in READERS and not (packing and ending == ".parquet") else None


def _kinds() -> str:
    packable = ", ".join(ending for ending in READERS if ending != ".parquet")
    return f".parquet and {packable}, these also packed as {' or '.join(PACKINGS)}"


def read_files(files: Sequence[Path], field: str, position: Position, lenient: bool = False) -> Iterator[Document]:
    """The documents of the files. Lenient: bytes that are not UTF-8 become U+FFFD, in place of an error."""
    sizes = [_size(path) for path in files]
    position.done, position.total = 0, sum(sizes)
    for number, path in enumerate(files):
        kind = _kind(path.name)
        assert kind is not None
        before = sum(sizes[:number])
        yield from READERS[kind](path, field, lenient, partial(_advance, position, before, sizes[number]))
        position.done = before + sizes[number]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise unreadable(path, error) from None


def _advance(position: Position, before: int, size: int, done: int) -> None:
    """A packed file whose place is not known may be over before it is read."""
    position.done = before + min(done, size)


def _read_text(path: Path, field: str, lenient: bool, tell: Tell) -> Iterator[Document]:
    """What stands between blank lines, cut at line ends where it is longer than `LONGEST_DOCUMENT`."""
    lines: list[str] = []
    size = first = 0
    for number, line in _lines(path, LONGEST_DOCUMENT, lenient, tell):
        is_blank = not line or line.isspace()
        if lines and (is_blank or size + len(line) > LONGEST_DOCUMENT):
            yield Document("\n".join(lines), f"{path.name}:{first}")
            lines, size = [], 0
        if not is_blank:
            first = first if lines else number
            lines.append(line)
            size += len(line) + 1
    if lines:
        yield Document("\n".join(lines), f"{path.name}:{first}")


def _read_jsonl(path: Path, field: str, lenient: bool, tell: Tell) -> Iterator[Document]:
    for number, line in _lines(path, LONGEST_RECORD, lenient, tell):
        where = f"{path}:{number}"
        if len(line) >= LONGEST_RECORD:
            raise HarnessError(f"{where}: a line of {LONGEST_RECORD:,} characters or more; one object a line is read")
        if not line or line.isspace():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise HarnessError(f"{where}: not JSON: {error}") from None
        if not isinstance(record, dict):
            raise HarnessError(f"{where}: expected an object, found {type(record).__name__}")
        yield document_in(record, field, where, f"{path.name}:{number}", lenient)


def _read_parquet(path: Path, field: str, lenient: bool, tell: Tell) -> Iterator[Document]:
    import pyarrow
    import pyarrow.parquet

    try:
        # By default a whole row group is in memory, which may be the whole file.
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
            if field not in file.schema_arrow.names:
                raise _no_field(str(path), field, file.schema_arrow.names)
            number = 0
            columns = [
                column.name
                for column in file.schema_arrow
                if column.name == field or not pyarrow.types.is_nested(column.type)
            ]
            size, rows = _size(path), max(1, file.metadata.num_rows)
            for batch in file.iter_batches(batch_size=16, columns=columns, use_threads=False):
                tell(size * number // rows)
                for record in batch.to_pylist():
                    number += 1
                    place = f"(row {number})"
                    yield document_in(record, field, f"{path} {place}", f"{path.name} {place}", lenient)
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise unreadable(path, error) from None


READERS: dict[str, Callable[[Path, str, bool, Tell], Iterator[Document]]] = {
    ".txt": _read_text,
    ".text": _read_text,
    ".md": _read_text,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def document_in(record: Mapping[str, Any], field: str, where: str, place: str, lenient: bool = False) -> Document:
    """The document of a record. Raises HarnessError as `text_in` does."""
    return Document(text_in(record, field, where, lenient), place, metadata_of(record, field))


def text_in(record: Mapping[str, Any], field: str, where: str, lenient: bool = False) -> str:
    """The text under `field`. Raises HarnessError where there is none, or one that UTF-8 cannot say; lenient, that one
    has U+FFFD in place of what it cannot say.
    """
    if field not in record:
        raise _no_field(where, field, list(record))
    text = record[field]
    if not isinstance(text, str):
        raise HarnessError(f"{where}: field '{field}' holds {type(text).__name__}, not text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        if lenient:
            return "".join("\ufffd" if "\ud800" <= letter <= "\udfff" else letter for letter in text)
        lone = f"\\u{ord(text[error.start]):04x}"
        raise HarnessError(f"{where}: field '{field}' has half a surrogate pair ({lone}), which is no text") from None
    return text


def _no_field(where: str, field: str, names: list[str]) -> HarnessError:
    hint = did_you_mean(field, names)
    hint = hint if hint.startswith(" Did") else ""
    return HarnessError(f"{where}: no field '{field}'; found: {', '.join(names) or 'none'}.{hint}")


# Bytes and lines


def _lines(path: Path, longest: int, lenient: bool, tell: Tell) -> Iterator[tuple[int, str]]:
    """Every line with its number, without its end (LF or CRLF); a longer one in pieces of `longest` characters.
    Lenient: bytes that are not UTF-8 become U+FFFD.

    Raises:
        HarnessError: the file cannot be read, is damaged or cut off, or not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace" if lenient else "strict")
    number, offset, rest = 1, 0, ""
    try:
        with _open(path) as file:
            more = True
            while more:
                data = file.read(max(CHUNK, len(rest)))
                packed: Any = getattr(file, "fileobj", None)  # of a .gz file
                tell(packed.tell() if packed is not None else offset + len(data))
                more = bool(data)
                try:
                    text = decoder.decode(data, final=not more)
                except UnicodeDecodeError as error:
                    at, before = error.start, error.object.count(b"\n", 0, error.start)
                    place = offset + len(data) - len(error.object) + at
                    raise HarnessError(
                        f"{path}:{number + before}: not UTF-8 (byte 0x{error.object[at]:02x} at offset {place}); "
                        "convert the file to UTF-8"
                    ) from None
                if offset == 0:
                    text = text.removeprefix("\ufeff")
                offset += len(data)
                *whole, rest = (rest + text).split("\n")
                if not more:
                    whole.append(rest)
                for line in whole:
                    for piece in _cut(line.removesuffix("\r"), longest):
                        yield number, piece
                    number += 1
                *begun, rest = _cut(rest, longest)
                for piece in begun:
                    yield number, piece
    except EOFError:
        raise HarnessError(f"{path}: the file is cut off; fetch it again") from None
    except (OSError, zlib.error) as error:
        raise unreadable(path, error) from None


def _cut(line: str, longest: int) -> list[str]:
    """The line in pieces of `longest` characters, at least one and the last one shorter or as long."""
    if len(line) <= longest:
        return [line]
    return [line[start : start + longest] for start in range(0, len(line), longest)]


def _open(path: Path) -> io.BufferedIOBase:
    """The unpacked bytes. It and reading raise EOFError where a packed file is cut off, OSError or zlib.error where
    it is damaged.
    """
    packing = path.suffix.lower()
    if packing not in PACKINGS:
        return path.open("rb")
    if path.stat().st_size == 0:
        raise EOFError
    if packing == ".gz":
        return gzip.open(path)
    return io.BufferedReader(_Chunks(_unpack_zst(path)), 1 << 16)


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._chunk = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._chunk:
            chunk = next(self._chunks, None)
            if chunk is None:
                return 0
            self._chunk = memoryview(chunk)
        size = min(len(buffer), len(self._chunk))
        buffer[:size] = self._chunk[:size]
        self._chunk = self._chunk[size:]
        return size


def _unpack_zst(path: Path) -> Iterator[bytes]:
    zstandard = _zstandard(path)
    unpacker = zstandard.ZstdDecompressor()
    frame = None
    with path.open("rb") as file:
        while data := file.read(PACKED_CHUNK):
            while data:
                # Not its own file object: that one takes a file that is cut off for a whole one.
                frame = frame or unpacker.decompressobj()
                try:
                    yield frame.decompress(data)
                except zstandard.ZstdError as error:
                    raise OSError(str(error)) from None
                data = frame.unused_data
                if frame.eof:
                    frame = None
    if frame is not None:
        raise EOFError


def _zstandard(path: Path) -> ModuleType:
    try:
        import zstandard
    except ImportError:
        raise HarnessError(
            f"{path}: reading .zst needs the package zstandard; pip install 'nlp-harness[zst]'"
        ) from None
    return zstandard


def unreadable(path: Path | str, error: Exception) -> HarnessError:
    if reason := getattr(error, "strerror", None):
        return HarnessError(f"cannot read {path}: {reason}")
    return HarnessError(f"{path}: damaged, or not what its name says: {one_line(error)}")
