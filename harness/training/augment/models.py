"""Models that make texts: found, hashed, and opened once in a process."""

from __future__ import annotations

from harness.core.errors import HarnessError
from harness.core.hashing import fingerprint_of
from harness.core.reading import expanded, is_folder
from harness.modeling.checkpoint import Checkpoint, load


def fingerprint(path: str, operation: str) -> str:
    """The hash of a model's files. Raises HarnessError where there are none."""
    folder = expanded(path)
    if not is_folder(folder) or not (folder / "config.json").is_file():
        raise HarnessError(f"augment: {operation}: {path} is no folder of a model (no config.json in it)")
    return fingerprint_of(folder)


def opened(path: str, operation: str, kind: str, wanted: str) -> Checkpoint:
    """The model of a folder. Raises HarnessError where it is damaged, or of another kind than `wanted`."""
    checkpoint = load(expanded(path))
    if checkpoint.kind != kind:
        raise HarnessError(
            f"augment: {operation}: {path} is for {checkpoint.kind} ({checkpoint.architecture}); give {wanted}"
        )
    return checkpoint
