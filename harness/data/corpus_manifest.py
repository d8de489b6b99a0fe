"""What made a corpus: the manifest that `harness corpus filter` writes beside the text it kept."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.core.checked import read_checked, write_checked
from harness.core.facts import Facts, FileFacts, facts_from

MANIFEST = "corpus.json"
KIND: Literal["harness-corpus"] = "harness-corpus"


class SourceFacts(Facts):
    """What was filtered.

    Attributes:
        source: The name of the data source.
        location: Where it was, for people.
        documents: How many.
        bytes: UTF-8 bytes of their texts.
        fingerprint: SHA-256 of its texts, each after its length.
    """

    source: str
    location: str
    documents: int
    bytes: int
    fingerprint: str


class CorpusManifest(Facts):
    """A filtered corpus.

    Attributes:
        kind: `harness-corpus`.
        files: The files of the text that was kept, in order, with sizes and checksums.
        source: What was filtered.
        rules: The rules in the order in which they were applied, with all their settings.
        code: The identity of the code of each rule, and of the pass.
        documents: How many were kept.
        bytes: UTF-8 bytes of their texts.
        fingerprint: SHA-256 of the texts, as of `source`.
        removed: Documents that each rule removed.
        edited: Documents that each rule changed.
    """

    kind: Literal["harness-corpus"]
    files: dict[str, FileFacts]
    source: SourceFacts
    rules: list[dict[str, Any]]
    code: dict[str, str]
    documents: int
    bytes: int
    fingerprint: str
    removed: dict[str, int] = Field(default_factory=dict)
    edited: dict[str, int] = Field(default_factory=dict)


def manifest_of(folder: Path) -> CorpusManifest | None:
    """The manifest of a folder; None where it has none.

    Raises:
        DamagedFileError: it is not what was written.
        HarnessError: it cannot be opened, or a newer version wrote it.
    """
    with suppress(OSError, RuntimeError, ValueError):
        path = folder.expanduser() / MANIFEST
        if path.is_file():
            return facts_from(CorpusManifest, read_checked(path), path)
    return None


def write_manifest(folder: Path, manifest: CorpusManifest) -> None:
    """Write it into the folder, whole or not at all."""
    write_checked(folder / MANIFEST, manifest.as_json())
