"""Models that make texts: found, hashed, and opened once in a process."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.hashing import fingerprint_of, states_of
from harness.core.reading import expanded, is_folder
from harness.modeling.checkpoint import Checkpoint, load


def fingerprint(path: str, operation: str) -> str:
    """The hash of a model's files. Raises HarnessError where there are none."""
    return folder_fingerprint(path, f"augment: {operation}")


def folder_fingerprint(path: str, where: str) -> str:
    """As `fingerprint`, for any use."""
    folder = expanded(path)
    if not is_folder(folder) or not (folder / "config.json").is_file():
        raise HarnessError(f"{where}: {path} is no folder of a model (no config.json in it)")
    files = sorted(file for file in folder.iterdir() if file.is_file())
    return _hash_of(folder, tuple(map(tuple, states_of(files))))


@lru_cache(maxsize=16)
def _hash_of(folder: Path, states: tuple[tuple[int, ...], ...]) -> str:
    """Read once for all cells of a plan, while no file changes."""
    return fingerprint_of(folder)


def opened(path: str, where: str, kind: str, wanted: str) -> Checkpoint:
    """The model of a folder. Raises HarnessError where it is damaged, or of another kind than `wanted`."""
    checkpoint = load(expanded(path))
    if checkpoint.kind != kind:
        raise HarnessError(f"{where}: {path} is for {checkpoint.kind} ({checkpoint.architecture}); give {wanted}")
    return checkpoint
