"""Unlabelled text for pretraining: the embedded world, files or a hub dataset, as a stream of documents.

Whatever its size, a corpus takes the memory of its longest document: nothing here holds a file or a split. Two passes
give the same documents in the same order, and a document's own text decides whether it is held out for evaluation.
"""

from __future__ import annotations

import codecs
import gzip
import io
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b, sha256
from pathlib import Path, PurePath
from types import ModuleType
from typing import Any

from harness.data.hub import COMMIT, hub_reachable, one_line, without_progress_bars
from harness.errors import HarnessError, did_you_mean
from harness.hashing import hash_code, hash_json

HELD_OUT_SHARE = 1 / 20
"""About this share of the documents is for evaluation."""

LONGEST_DOCUMENT = 1 << 16
"""Characters; a longer stretch of a text file without a blank line becomes several documents."""

LONGEST_RECORD = 1 << 26
"""Characters; a longer line of a .jsonl file is taken for another format."""

PACKINGS = (".gz", ".zst")

CHUNK = 1 << 18
"""Bytes of text taken at once, more where a line is longer."""

PACKED_CHUNK = 512
"""Bytes of a .zst file unpacked at once: they may become 32,000 times as many."""


@dataclass(frozen=True)
class Corpus:
    """Unlabelled documents.

    `source` is embedded, files or hub. `read` starts a pass over the texts. `files` and `pin` determine what they
    are; `pin` is None where nothing does.
    """

    source: str
    location: str
    read: Callable[[], Iterator[str]] = field(repr=False)
    pin: object = field(repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)

    def documents(self) -> Iterator[str]:
        """Every document, none of them blank, in an order that stays the same.

        Raises:
            HarnessError: a file is damaged or not what its name says, with the place in it; the hub fails.
        """
        return (text for text in self.read() if text and not text.isspace())


def open_corpus(where: str, sentences: int = 20_000, field: str = "text") -> Corpus:
    """The corpus that `where` names: `embedded`, `hub:ID` or `hub:ID:CONFIG@REVISION`, a file, or a folder.

    A folder's files are read in the order of their relative paths; hidden ones, other kinds and links to folders are
    left out. Text files (.txt, .text, .md) hold documents between blank lines; .jsonl and .parquet, like the hub, one
    a record under `field`. `sentences` is the size of the embedded corpus.

    Raises:
        HarnessError: there is nothing of that name, nothing readable in it, or the hub cannot be reached.
    """
    if where == "embedded":
        return _embedded(sentences)
    if where.startswith("hub:"):
        return _hub(where.removeprefix("hub:"), field)
    files = _files(where)
    return Corpus("files", where, partial(_read_files, files, field), ["files", field], files)


def state(corpus: Corpus) -> str:
    """A hash that changes whenever the documents could, found without reading them; "" where nothing pins them.

    It covers the code that makes or reads them, the files' paths, sizes and times, or the hub's commit if one was
    asked for.

    Raises:
        HarnessError: a file has gone.
    """
    if corpus.pin is None:
        return ""
    stats = []
    for path in corpus.files:
        try:
            stat = path.stat()
        except OSError as error:
            raise _unreadable(path, error) from None
        stats.append([str(path.resolve()), stat.st_size, stat.st_mtime_ns])
    return hash_json({"code": hash_code([Path(__file__)]), "pin": corpus.pin, "files": stats})


def facts(corpus: Corpus) -> dict[str, Any]:
    """One pass over the documents: `source`, `location`, `documents`, `bytes` (UTF-8), `held_out`, `fingerprint`.

    The fingerprint is the SHA-256 (hex) of the documents in order, each after its length in 8 bytes.

    Raises:
        HarnessError: there is no document, or as `Corpus.documents`.
    """
    digest = sha256()
    documents = size = held_out = 0
    for document in corpus.documents():
        data = document.encode()
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
        documents += 1
        size += len(data)
        held_out += is_held_out(document)
    if not documents:
        raise HarnessError(f"{corpus.location}: there is no document in it")
    return {
        "source": corpus.source,
        "location": corpus.location,
        "documents": documents,
        "bytes": size,
        "held_out": held_out,
        "fingerprint": digest.hexdigest(),
    }


def is_held_out(document: str) -> bool:
    """Whether a document is for evaluation. Its text alone decides, so that copies are on one side."""
    drawn = int.from_bytes(blake2b(document.encode(), digest_size=8).digest(), "big")
    return drawn < HELD_OUT_SHARE * 2**64


def _embedded(sentences: int) -> Corpus:
    from harness.data import embedded

    location = f"embedded world v{embedded.WORLD_VERSION}, {sentences} sentences"
    code = hash_code([Path(embedded.__file__).parent])
    return Corpus("embedded", location, partial(embedded.corpus, sentences), ["embedded", sentences, code])


# The hub


def _hub(wanted: str, field: str) -> Corpus:
    rest, _, revision = wanted.partition("@")
    dataset, _, config = rest.partition(":")
    if not dataset:
        raise HarnessError("hub: needs the id of a dataset, as in hub:Salesforce/wikitext:wikitext-2-raw-v1")
    if (reason := hub_reachable()) is not None:
        raise HarnessError(
            f"the Hugging Face hub cannot be reached ({reason}); use --corpus embedded or --corpus FILE|FOLDER"
        )
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(dataset, revision=revision or None, timeout=30).sha
    except Exception as error:
        raise HarnessError(f"hub dataset {wanted} cannot be found: {one_line(error)}") from None
    location = f"hub {rest}@{commit}"
    pinned = COMMIT.fullmatch(revision) is not None
    read = partial(_read_hub, location, dataset, config or None, commit, field)
    return Corpus("hub", location, read, ["hub", rest, revision, field] if pinned else None)


def _read_hub(location: str, dataset: str, config: str | None, commit: str | None, field: str) -> Iterator[str]:
    import datasets

    try:
        # The prefix keeps a folder of that name in the working directory from being loaded instead.
        path = f"hf://datasets/{dataset}"
        with without_progress_bars():
            rows = datasets.load_dataset(path, config, split="train", revision=commit, streaming=True)
        for number, row in enumerate(rows, start=1):
            yield _text_in(row, field, f"{location} (row {number})")
    except HarnessError:
        raise
    except Exception as error:
        raise HarnessError(f"{location} cannot be read: {one_line(error)}") from None


# Files


def _files(where: str) -> tuple[Path, ...]:
    path = Path(where)
    with suppress(RuntimeError):
        path = path.expanduser()
    try:
        is_file, is_folder = path.is_file(), bool(where) and path.is_dir()
    except OSError as error:
        raise _unreadable(where, error) from None
    if is_file:
        if _kind(path.name) is None:
            raise HarnessError(f"{where}: files of this kind are not read as a corpus; it takes {_kinds()}")
        files: tuple[Path, ...] = (path,)
    elif is_folder:
        files = _files_below(path)
        if not files:
            raise HarnessError(f"{where}: no file in this folder can be read as a corpus; it takes {_kinds()}")
    else:
        hint = did_you_mean(where, ["embedded"])
        hint = hint if hint.startswith(" Did") else ""
        raise HarnessError(
            f"no such file or folder: {where or repr(where)}; "
            f"--corpus takes embedded, hub:ID, a file or a folder.{hint}"
        )
    packed = next((path for path in files if path.suffix.lower() == ".zst"), None)
    if packed is not None:
        _zstandard(packed)
    return files


def _files_below(folder: Path) -> tuple[Path, ...]:
    def refuse(error: OSError) -> None:
        raise _unreadable(error.filename, error)

    found: list[Path] = []
    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(parent, name) for name in names if not name.startswith(".") and _kind(name) is not None]
    return tuple(sorted(found, key=lambda path: path.relative_to(folder).as_posix()))


def _kind(name: str) -> str | None:
    """The ending by which a file is read, apart from its packing; None where it is not one of a corpus."""
    name = name.lower()
    packing = next((ending for ending in PACKINGS if name.endswith(ending)), "")
    ending = PurePath(name.removesuffix(packing)).suffix
    return ending if ending in READERS and not (packing and ending == ".parquet") else None


def _kinds() -> str:
    packable = ", ".join(ending for ending in READERS if ending != ".parquet")
    return f".parquet and {packable}, these also packed as {' or '.join(PACKINGS)}"


def _read_files(files: Iterable[Path], field: str) -> Iterator[str]:
    for path in files:
        kind = _kind(path.name)
        assert kind is not None
        yield from READERS[kind](path, field)


def _read_text(path: Path, field: str) -> Iterator[str]:
    """What stands between blank lines, cut at line ends where it is longer than `LONGEST_DOCUMENT`."""
    lines: list[str] = []
    size = 0
    for _, line in _lines(path, LONGEST_DOCUMENT):
        is_blank = not line or line.isspace()
        if lines and (is_blank or size + len(line) > LONGEST_DOCUMENT):
            yield "\n".join(lines)
            lines, size = [], 0
        if not is_blank:
            lines.append(line)
            size += len(line) + 1
    if lines:
        yield "\n".join(lines)


def _read_jsonl(path: Path, field: str) -> Iterator[str]:
    for number, line in _lines(path, LONGEST_RECORD):
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
        yield _text_in(record, field, where)


def _read_parquet(path: Path, field: str) -> Iterator[str]:
    import pyarrow
    import pyarrow.parquet

    try:
        # By default a whole row group is in memory, which may be the whole file.
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:
            if field not in file.schema_arrow.names:
                raise _no_field(str(path), field, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(batch_size=16, columns=[field], use_threads=False):
                for text in batch.column(0).to_pylist():
                    number += 1
                    yield _text_in({field: text}, field, f"{path} (row {number})")
    except (OSError, ValueError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from None


READERS: dict[str, Callable[[Path, str], Iterator[str]]] = {
    ".txt": _read_text,
    ".text": _read_text,
    ".md": _read_text,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}


def _text_in(record: Mapping[str, Any], field: str, where: str) -> str:
    """The text under `field`. Raises HarnessError where there is none, or one that UTF-8 cannot say."""
    if field not in record:
        raise _no_field(where, field, list(record))
    text = record[field]
    if not isinstance(text, str):
        raise HarnessError(f"{where}: field '{field}' holds {type(text).__name__}, not text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        lone = f"\\u{ord(text[error.start]):04x}"
        raise HarnessError(f"{where}: field '{field}' has half a surrogate pair ({lone}), which is no text") from None
    return text


def _no_field(where: str, field: str, found: list[str]) -> HarnessError:
    hint = did_you_mean(field, found)
    hint = hint if hint.startswith(" Did") else ""
    return HarnessError(f"{where}: no field '{field}'; found: {', '.join(found) or 'none'}.{hint}")


# Bytes and lines


def _lines(path: Path, longest: int) -> Iterator[tuple[int, str]]:
    """Every line with its number, without its end (LF or CRLF); a longer one in pieces of `longest` characters.

    Raises:
        HarnessError: the file cannot be read, is damaged or cut off, or not UTF-8.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    number, offset, rest = 1, 0, ""
    try:
        with _open(path) as file:
            more = True
            while more:
                data = file.read(max(CHUNK, len(rest)))
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
        raise _unreadable(path, error) from None


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


def _unreadable(path: Path | str, error: Exception) -> HarnessError:
    if reason := getattr(error, "strerror", None):
        return HarnessError(f"cannot read {path}: {reason}")
    return HarnessError(f"{path}: damaged, or not what its name says: {one_line(error)}")
