"""Calibration of stored predictions, kept in the store's cache: its bootstrap takes longer than all else of a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from harness.core import code_identity
from harness.core.cell_records import ScoreRecord
from harness.core.hashing import hash_json
from harness.core.predictions import PREDICTIONS, read_logits
from harness.core.store import Store
from harness.stats import calibration
from harness.stats.calibration import Report


def calibration_reader(store: Store) -> Callable[[ScoreRecord], Report | None]:
    """A function from a score record to the calibration of its classes; None where it has no classes or no logits.
    Raises DamagedFileError.
    """

    from pydantic import TypeAdapter

    kind = TypeAdapter(Report | None)

    def read(record: ScoreRecord) -> Report | None:
        key = hash_json([code_identity.identity("harness.stats.calibration"), *identity(record)])
        kept = store.get_or_compute(key, lambda: {"report": _computed(store, record)}, dict[str, Report | None])
        return kind.validate_python(kept["report"])

    return read


def identity(record: ScoreRecord) -> list[str]:
    """What tells stored predictions from any others, those of the same cell computed again among them."""
    return [record.cell, record.created, record.predictions.sha256 if record.predictions else ""]


def _computed(store: Store, record: ScoreRecord) -> dict[str, Any] | None:
    stored = read_logits(store.file(record.cell, PREDICTIONS))
    if stored is None:
        return None
    ids, labels, logits = stored
    return asdict(calibration.report(logits, labels, ids))
