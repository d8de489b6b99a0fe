"""Calibration of stored predictions, kept in the store's cache: its bootstrap takes longer than all else of a page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.hashing import hash_code, hash_json
from harness.core.store import Store
from harness.pipeline.steps.score import PREDICTIONS, read_logits

if TYPE_CHECKING:
    from harness.stats.calibration import Report

Record = Mapping[str, Any]


def calibration_reader(store: Store) -> Callable[[Record], Report | None]:
    """A function from a score record to the calibration of its classes; None where it has no classes or no logits.
    Raises DamagedFile.
    """

    from pydantic import TypeAdapter

    from harness.stats.calibration import Report

    kind = TypeAdapter(Report | None)

    def read(record: Record) -> Report | None:
        key = hash_json([_code(), *identity(record)])
        kept = store.remembered(key, lambda: {"report": _found(store, record)})
        return kind.validate_python(kept["report"])

    return read


def identity(record: Record) -> list[str]:
    """What tells stored predictions from any others, those of the same cell computed again among them."""
    return [record["cell"], record["created"], record["predictions"]["sha256"]]


def _found(store: Store, record: Record) -> dict[str, Any] | None:
    from harness.stats import calibration

    stored = read_logits(store.file(record["cell"], PREDICTIONS))
    if stored is None:
        return None
    ids, labels, logits = stored
    return asdict(calibration.report(logits, labels, ids))


@cache
def _code() -> str:
    from harness.metrics import resampling
    from harness.stats import bootstrap, calibration

    return hash_code(Path(str(module.__file__)) for module in (bootstrap, calibration, resampling))
