"""What was measured, from a store, by runs and by `harness measure`; and what leaderboards make of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePath

from harness.core.cell_records import CompressRecord, ScoreRecord
from harness.core.errors import HarnessError
from harness.core.facts import CellRecord
from harness.core.measurement_records import MeasureRecord
from harness.core.record_index import RecordIndex
from harness.core.store import Store
from harness.measurement.results import RESULT
from harness.modeling.size import WEIGHTS
from harness.report.tables import measured, pareto, plotting, resources
from harness.report.tables.report_format import check_other_table
from harness.report.tables.table import Table


def measured_in(store: Store) -> list[measured.Measured]:
    """All measurements of models that lie in the store, whichever run or command made them: a model's cell is what it
    is in all of them. Damaged records are left out.
    """
    return measured.read(store.find_all(measurement_keys(store), lambda error: None, MeasureRecord))


def measurement_keys(store: Store) -> list[str]:
    """The cells of a store that measured, told by their files: thousands of other records need not be opened."""

    with os.scandir(store.root / "cells") as folders:
        cells = [cell for folder in folders if folder.is_dir() for cell in os.scandir(folder)]
    return sorted(cell.name for cell in cells if os.path.exists(f"{cell.path}/{RESULT}"))  # noqa: PTH110 - in half the time


def with_resources(
    store: Store, index: RecordIndex, records: Sequence[ScoreRecord], tables: Sequence[Table], kinds: Sequence[str]
) -> list[Table]:
    """The tables, made of these score records, with columns of these kinds.

    Raises:
        HarnessError: nothing known of any model.
    """

    if not kinds:
        return list(tables)
    measured = measured_in(store) if {"speed", "memory"} & set(kinds) else []
    cells = dict.fromkeys(record.lineage.first.maker for record in records) if "size" in kinds else {}
    made = {record.cell: record for record in index.read(filter(None, cells), lambda damaged: None)}
    weights = weights_in(made)
    done = [resources.with_resources(table, records, measured, weights, kinds) for table in tables]
    if not any(resource.values for table in done for resource in table.resources):
        why = next((f" ({note})" for table in done for resource in table.resources for note in resource.notes), "")
        raise HarnessError(f"there is no {' or '.join(kinds)} to show{why}; measure with `harness run --measure`")
    return done


def weights_in(made: Mapping[str, CellRecord]) -> Callable[[str], int | None]:
    """From a cell to the bytes of the weight files of the model it made; None where `made`, records by cell, lacks it
    or its record knows of none.
    """

    def weights(cell: str) -> int | None:
        record = made.get(cell)
        if record is None:
            return None
        if isinstance(record, CompressRecord):
            return record.compression.after.bytes
        return sum(file.bytes for name, file in record.files.items() if is_weights(name)) or None

    return weights


@cache
def is_weights(name: str) -> bool:
    return any(map(PurePath(name).match, WEIGHTS))


def pareto_text(
    store: Store, index: RecordIndex, records: Sequence[ScoreRecord], tables: Sequence[Table], style: str, path: Path
) -> str:
    """Draw quality against speed, memory and size into a file; the same as `markdown` or `json`.

    Raises:
        HarnessError: several suites or sources, nothing that two models have, or another style.
    """

    check_other_table("--pareto", style)
    plotting.check(path, "--pareto")
    if len(tables) > 1:
        raise HarnessError(f"--pareto draws one suite on one source, here are {len(tables)}; name the runs to draw")
    (table,) = with_resources(store, index, records, tables, resources.KINDS)
    fronts = pareto.build(table)
    if not fronts.fronts:
        raise HarnessError(f"--pareto: no two models have a score and a resource. {' '.join(fronts.notes)}")
    pareto.plot(fronts, path, {resource.name: resource.unit for resource in table.resources})
    return pareto.to_json(fronts) if style == "json" else pareto.to_markdown(fronts, table).rstrip("\n")
