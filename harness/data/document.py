"""One text of a corpus and where it stands; a corpus as a stream of such."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from harness.data.corpus_manifest import CorpusManifest


@dataclass(frozen=True, slots=True)
class Document:
    """A text of a corpus.

    Attributes:
        text: The text.
        place: Where it stands: a file's name and the line or row, or its number.
        metadata: The other fields of its record, where it has any: numbers, texts and truth values.
    """

    text: str
    place: str
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_blank(self) -> bool:
        """Whether there is nothing to read in it; a pass over a corpus leaves it out."""
        return not self.text or self.text.isspace()


class TextsHash:
    """The fingerprint of texts in order: SHA-256 of each after its length in 8 bytes."""

    def __init__(self) -> None:
        self._digest = sha256()

    def add(self, text: str) -> int:
        """Take the next text into account; returns its UTF-8 bytes."""
        data = text.encode()
        self._digest.update(len(data).to_bytes(8, "big"))
        self._digest.update(data)
        return len(data)

    def hexdigest(self) -> str:
        """The fingerprint so far."""
        return self._digest.hexdigest()


def metadata_of(record: Mapping[str, Any], field: str) -> dict[str, Any]:
    """The fields of a record beside its text that hold one value each."""
    return {
        name: value for name, value in record.items() if name != field and isinstance(value, str | int | float | bool)
    }


@dataclass
class Position:
    """How far a pass has come, in bytes of files on disk.

    Attributes:
        done: Bytes that were read.
        total: Bytes of all files; 0 where that is not known.
    """

    done: int = 0
    total: int = 0


@dataclass(frozen=True)
class Corpus:
    """Unlabelled documents.

    Attributes:
        source: The name of the data source; `files` of paths.
        location: Where it is, for people.
        read: Starts a pass over the documents. Called with True, it reads leniently: what is no text is replaced by
            U+FFFD, in place of an error.
        pin: What determines them, with `files`: JSON that changes whenever they could. None: nothing does.
        files: The files that are read.
        made: What made the corpus, where that is known: the manifest of `harness corpus filter`.
        position: How far the latest pass has come.
    """

    source: str
    location: str
    read: Callable[[bool], Iterator[Document]] = field(repr=False)
    pin: object = field(repr=False)
    files: tuple[Path, ...] = field(default=(), repr=False)
    made: CorpusManifest | None = field(default=None, repr=False)
    position: Position = field(default_factory=Position, repr=False, compare=False)

    def documents(self) -> Iterator[str]:
        """Every document, none of them blank, in an order that stays the same.

        Raises:
            HarnessError: a file is damaged or not what its name says, with the place in it; the hub fails.
        """
        return (document.text for document in self.read(False) if not document.is_blank)


@dataclass(frozen=True)
class CorpusOptions:
    """What a source is asked for beside its name.

    Attributes:
        sentences: How much of a corpus that is generated.
        field: The texts' column, where a record has several.
    """

    sentences: int = 20_000
    field: str = "text"
