"""A cell as JSON and back, for workers that are given cells in files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.pipeline.cells import Cell, Job
from harness.training.costs import Work

JOBS: Mapping[str, type] = {kind.kind: kind for kind in get_args(Job)}


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def cell_as_json(cell: Cell) -> dict[str, Any]:
    """All of a cell."""
    parts = {part.name: getattr(cell, part.name) for part in fields(Cell) if part.name not in ("job", "work")}
    return {
        **parts,
        "kind": cell.kind,
        "job": _adapter(JOBS[cell.kind]).dump_python(cell.job, mode="json"),
        "work": None if cell.work is None else _adapter(Work).dump_python(cell.work),
    }


def cell_from_json(content: Mapping[str, Any]) -> Cell:
    """The cell that was written.

    Raises:
        HarnessError: it is none, or its spec is not that of its key.
    """
    try:
        parts = dict(content)
        job = _adapter(JOBS[parts.pop("kind")]).validate_python(parts.pop("job"))
        work = None if parts["work"] is None else _adapter(Work).validate_python(parts["work"])
        seconds = None if parts["seconds"] is None else tuple(parts["seconds"])
        cell = Cell(**{**parts, "job": job, "work": work, "seconds": seconds, "needs": tuple(parts["needs"])})
    except (KeyError, TypeError, ValidationError) as error:
        raise HarnessError(f"a cell cannot be read: {' '.join(str(error).split())[:300]}") from None
    if hash_json(cell.spec) != cell.key:
        raise HarnessError(f"a cell cannot be read: the spec of {cell.label} is not that of its key")
    return cell
