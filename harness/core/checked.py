"""JSON files that carry a checksum of themselves."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

from harness.core.atomic import write_atomically
from harness.core.errors import DamagedFileError, HarnessError, UnreadableFileError
from harness.core.hashing import hash_json
from harness.core.reading import ReadingError, read_object

SCHEMA_VERSION = 1


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
