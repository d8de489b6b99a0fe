"""The identities of files of items, kept between processes: reading a large folder to hash it takes minutes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from harness.core.cache_folder import cache_folder
from harness.core.checked import keep_checked, read_checked
from harness.core.errors import HarnessError
from harness.core.facts import Facts
from harness.core.hashing import hash_file, hash_json, short, states_of

KEPT_FROM = 200
"""Fewer files are hashed each time."""

MOST_KEPT = 2_000_000


class KnownItems(Facts):
    """SHA-256 of files, by their states when they were read."""

    hashes: dict[str, str]


def hashes_of(paths: Sequence[Path], folder: Path) -> list[str]:
    """SHA-256 (hex) of the bytes of files, of those in a known state without reading them. What is known is kept in the
    cache folder, a file for each `folder`; one that is missing, damaged or cannot be written costs time alone.

    Raises:
        OSError: a file has gone, or cannot be read.
    """
    states = ["-".join(map(str, state)) for state in states_of(paths)]
    if len(paths) < KEPT_FROM:
        return [hash_file(path) for path in paths]
    kept = cache_folder() / f"items-{short(hash_json(str(folder.resolve())))}.json"
    known: dict[str, str] = {}
    with contextlib.suppress(HarnessError, ValueError):
        known = KnownItems.model_validate(read_checked(kept)).hashes
    before = len(known)
    for state, path in zip(states, paths, strict=True):
        if state not in known:
            known[state] = hash_file(path)
    if len(known) > before:
        known = known if len(known) <= MOST_KEPT else {state: known[state] for state in states}
        keep_checked(kept, {"hashes": known})
    return [known[state] for state in states]


def in_order_of_contents(paths: Sequence[Path], folder: Path) -> list[Path]:
    """Files by the hashes of their contents, then by their paths. Raises HarnessError where one cannot be read."""
    try:
        hashes = hashes_of(paths, folder)
    except OSError as error:
        raise HarnessError(f"{error.filename}: cannot be read: {error.strerror}") from None
    return [path for _, path in sorted(zip(hashes, paths, strict=True))]
