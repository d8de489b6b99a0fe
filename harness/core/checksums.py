"""Folders that carry the checksums of their files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.core.atomic import OWNER
from harness.core.checked import read_checked, write_checked
from harness.core.errors import DamagedFileError, UnreadableFileError
from harness.core.facts import Facts, FileFacts, facts_from
from harness.core.hashing import hash_file

SUMS = "checksums.json"
"""The file of a folder that has the checksums of the others."""


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
