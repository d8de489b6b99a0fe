"""Everything that a store holds, read once: what is not as it was written, and what becomes of it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.core.atomic import move_folder
from harness.core.checked import read_checked
from harness.core.checksums import check_sums
from harness.core.errors import DamagedFileError, HarnessError
from harness.core.record_index import damage_of_index
from harness.core.store import RECORD, Store


@dataclass(frozen=True)
class Fault:
    """Something of a store that is not as it was written.

    Attributes:
        place: The file or folder that cannot be used.
        reason: What is wrong, naming the file.
        remedy: What a repair does with it; empty where it does nothing.
        repaired: It was done.
    """

    place: str
    reason: str
    remedy: str
    repaired: bool = False


@dataclass
class Verification:
    """What reading everything found. `counts`: how many of each kind of thing were read."""

    counts: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    @property
    def sound(self) -> bool:
        """Nothing is left that is not as it was written."""
        return all(fault.repaired for fault in self.faults)


AGAIN, ASIDE, REMOVED = "quarantined; a run that needs it computes it again", "quarantined", "removed; it is made again"


def verify(store: Store, repair: bool = False) -> Verification:
    """Read every file of a store that something believes.

    Args:
        store: The store.
        repair: Set damaged cells and runs aside in its folder `damaged`, and remove damaged files that are made again.

    Returns:
        What was read, and what is wrong.
    """
    verification = Verification()
    for kind, place, check, remedy in _things(store):
        verification.counts[kind] = verification.counts.get(kind, 0) + 1
        try:
            check()
        except DamagedFileError as error:
            if repair:
                _repair(store, place, remedy)
            verification.faults.append(Fault(str(place), str(error), remedy, repair))
        except HarnessError as error:  # of a newer version, or not to be opened
            verification.faults.append(Fault(str(place), str(error), ""))
    return verification


Thing = tuple[str, Path, Callable[[], object], str]


def _things(store: Store) -> Iterator[Thing]:
    """Kind, place, how it is checked, and the remedy of all that is there."""
    root = store.root
    for folder in sorted((root / "cells").glob("*/*")):
        if not folder.name.startswith("."):
            yield "cells", folder, lambda folder=folder: _check_cell(store, folder), AGAIN  # type: ignore[misc]
    for path in sorted((root / "runs").glob("*.json")):
        yield "runs", path, lambda path=path: read_checked(path), ASIDE  # type: ignore[misc]
    for kind in ("failures", "cache"):
        for path in sorted((root / kind).glob("*.json")):
            yield kind, path, lambda path=path: read_checked(path), REMOVED  # type: ignore[misc]
    for folder in sorted([*(root / "cache").glob("tok*-*"), *(root / "partial").glob("*/[0-9]*")]):
        if folder.is_dir():
            kind = "checkpoints" if folder.parent.parent.name == "partial" else "cached folders"
            yield kind, folder, lambda folder=folder: check_sums(folder), REMOVED  # type: ignore[misc]
    index = root / "index.parquet"
    if index.exists():
        yield "index", index, lambda: damage_of_index(index), REMOVED


def _check_cell(store: Store, folder: Path) -> None:
    if not (folder / RECORD).exists():
        raise DamagedFileError(f"{folder} is damaged: there is no {RECORD} in it")
    store.check(folder.name)


def _repair(store: Store, place: Path, remedy: str) -> None:
    try:
        if remedy != REMOVED:
            move_folder(place, store.root / "damaged" / f"{place.name[:60]}-{uuid.uuid4().hex[:8]}")
        elif place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink()
    except OSError as error:
        raise HarnessError(f"cannot repair {place}: {error.strerror or error}") from None
