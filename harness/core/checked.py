"""JSON files that carry a checksum of themselves, and folders that carry those of their files."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.atomic import OWNER, write_atomically
from harness.core.errors import DamagedFileError, HarnessError, UnreadableFileError
from harness.core.facts import Facts, FileFacts, facts_from
from harness.core.hashing import hash_file, hash_json
from harness.core.reading import ReadingError, read_object

SCHEMA_VERSION = 1
SUMS = "checksums.json"
"""The file of a folder that has the checksums of the others."""


def write_checked(path: Path, content: dict[str, Any]) -> None:
    """Write an object with its checksum, whole or not at all. Raises HarnessError where it cannot be."""
    content = {key: value for key, value in content.items() if key != "checksum"}
    checked = {**content, "checksum": hash_json(content)}
    write_atomically(path, json.dumps(checked, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def keep_checked(path: Path, content: dict[str, Any]) -> None:
    """As `write_checked`, of what can be found again: where it cannot be written it is not kept."""
    with contextlib.suppress(OSError, HarnessError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_checked(path, content)


def read_checked(path: Path) -> dict[str, Any]:
    """What `write_checked` wrote, without the checksum.

    Raises:
        DamagedFileError: it is not what was written, or not there.
        UnreadableFileError: it cannot be opened.
        HarnessError: a newer version has written it.
    """
    try:
        content = read_object(path)
        checksum = content.pop("checksum")
        sound = checksum == hash_json(content)
    except ReadingError as error:
        if error.missing:
            raise DamagedFileError(f"{path} is missing") from None
        if error.closed:
            raise UnreadableFileError(f"{path} cannot be read: {error.reason}; nothing was changed") from None
        raise DamagedFileError(f"{path} is damaged: not a whole JSON record ({error.reason})") from None
    except KeyError:
        raise DamagedFileError(f"{path} is damaged: not a whole JSON record (no checksum)") from None
    if not sound:
        raise DamagedFileError(f"{path} is damaged: its content does not fit its checksum")
    version = content.get("schema_version", SCHEMA_VERSION)
    if not isinstance(version, int) or version > SCHEMA_VERSION:
        raise HarnessError(f"{path} was written by a newer harness (schema {version}); upgrade nlp-harness")
    return content


def hash_checked(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises DamagedFileError where it is missing, UnreadableFileError as `read_checked`."""
    try:
        return hash_file(path)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise DamagedFileError(f"{path} is missing") from None
    except OSError as error:
        raise UnreadableFileError(f"{path} cannot be read: {error.strerror}; nothing was changed") from None


def facts_of_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Size and checksum of each file below a folder, by its path there."""
    return {
        path.relative_to(folder).as_posix(): {"bytes": path.stat().st_size, "sha256": hash_file(path)}
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (SUMS, OWNER)
    }


def write_sums(folder: Path) -> None:
    """Write the checksums of a folder's files beside them."""
    write_checked(folder / SUMS, {"files": facts_of_files(folder)})


class _Files(Facts):
    """What a folder's checksums say, and of a record all that is read here."""

    files: dict[str, FileFacts]


def check_files(folder: Path, files: Mapping[str, FileFacts], named_by: str = "its record names") -> None:
    """Raises DamagedFileError, naming the file, where the bytes of one are not those of its facts."""
    for name, facts in files.items():
        if hash_checked(folder / name) != facts.sha256:
            raise DamagedFileError(f"{folder / name} is damaged: its bytes are not those {named_by}")


def _files_in(path: Path) -> dict[str, FileFacts]:
    return facts_from(_Files, read_checked(path), path).files


def check_sums(folder: Path) -> None:
    """Raises DamagedFileError where a file of the folder is not as `write_sums` found it, or there are no sums."""
    meant = f"{SUMS} names; put the file back, or remove {SUMS} where the change was meant"
    check_files(folder, _files_in(folder / SUMS), meant)


def refuse_damaged(model: Path) -> None:
    """Check a model's folder where it says what it was: one that was delivered, or that of a cell.

    Raises:
        DamagedFileError: a file of it is not what was written.
        UnreadableFileError: one cannot be opened.
    """
    record = model.parent / "record.json"
    if (model / SUMS).exists():
        check_sums(model)
    elif model.name == "model" and record.is_file():
        files = _files_in(record)
        check_files(model.parent, {name: facts for name, facts in files.items() if name.startswith("model/")})
