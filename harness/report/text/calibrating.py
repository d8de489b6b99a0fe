"""Calibration and selective answers of stored predictions, kept in the store's cache: their bootstraps take longer than
all else of a page.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from harness.core import code_identity
from harness.core.cell_records import ScoreRecord
from harness.core.hashing import hash_json
from harness.core.predictions import PREDICTIONS, read_logits
from harness.core.store import Store
from harness.stats import calibration, selective
from harness.stats.calibration import Report
from harness.stats.selective import Measured, Selective


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


def selective_reader(store: Store) -> Callable[[ScoreRecord], Selective | None]:
    """A function from a score record to the selective answers of its classes; None where it has no classes or no
    logits. Raises DamagedFileError.
    """
    from pydantic import TypeAdapter

    kind = TypeAdapter(Selective | None)

    def compute(record: ScoreRecord) -> dict[str, Any] | None:
        stored = _of_classes(store, record)
        return None if stored is None else asdict(selective.report(stored[1], stored[0]))

    def read(record: ScoreRecord) -> Selective | None:
        key = hash_json([code_identity.identity("harness.stats.selective"), *identity(record)])
        kept = store.get_or_compute(key, lambda: {"report": compute(record)}, dict[str, Selective | None])
        return kind.validate_python(kept["report"])

    return read


def detection_reader(store: Store) -> Callable[[ScoreRecord, ScoreRecord], Measured | None]:
    """A function from two score records of one model to how well confidence tells the examples of the first from those
    of the second; None where one has no classes or no logits. Raises DamagedFileError.
    """
    from pydantic import TypeAdapter

    kind = TypeAdapter(Measured | None)

    def compute(inside: ScoreRecord, outside: ScoreRecord) -> dict[str, Any] | None:
        first, second = _of_classes(store, inside), _of_classes(store, outside)
        if first is None or second is None:
            return None
        return asdict(selective.detection(selective.log_odds(first[1]), selective.log_odds(second[1])))

    def read(inside: ScoreRecord, outside: ScoreRecord) -> Measured | None:
        code = code_identity.identity("harness.stats.selective")
        key = hash_json(["detection", code, *identity(inside), *identity(outside)])
        kept = store.get_or_compute(key, lambda: {"report": compute(inside, outside)}, dict[str, Measured | None])
        return kind.validate_python(kept["report"])

    return read


def _of_classes(store: Store, record: ScoreRecord) -> tuple[Any, Any] | None:
    """Labels (n,) and logits (n, k) of several classes; None where there are none."""
    stored = read_logits(store.file(record.cell, PREDICTIONS))
    return None if stored is None or stored[2].shape[1] < 2 else stored[1:]


def identity(record: ScoreRecord) -> list[str]:
    """What tells stored predictions from any others, those of the same cell computed again among them."""
    return [record.cell, record.created, record.predictions.sha256 if record.predictions else ""]


def _computed(store: Store, record: ScoreRecord) -> dict[str, Any] | None:
    stored = read_logits(store.file(record.cell, PREDICTIONS))
    if stored is None:
        return None
    ids, labels, logits = stored
    return asdict(calibration.report(logits, labels, ids))
