"""What was measured, from a store: by runs, and by `harness measure`."""

from __future__ import annotations

from typing import Any

from harness.errors import DamagedFile
from harness.report import measured
from harness.store import Store


def measured_in(store: Store) -> list[measured.Measured]:
    """All measurements of models that lie in the store, whichever run or command made them: a model's cell is what it
    is in all of them. Damaged records are left out.
    """
    records: list[dict[str, Any]] = []
    for key in store.keys():  # noqa: SIM118 - no mapping
        try:
            record = store.read(key)
        except DamagedFile:
            continue
        if record["kind"] == "measure":
            records.append(record)
    return measured.read(records)
