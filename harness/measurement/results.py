"""The result of a measurement: its file, the names in it, and what it was allowed to take."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.strict_spec import seconds_of
from harness.measurement.series import BASE, SECOND

RESULT = "measurement.json"


def distinct(names: Sequence[str]) -> list[str]:
    """The names, told apart from one another and from those of the protocol's variants."""
    chosen: list[str] = []
    for name in names:
        taken = {BASE, SECOND, *chosen}
        chosen.append(
            next(
                candidate for candidate in (name, *(f"{name} ({n})" for n in range(2, 1000))) if candidate not in taken
            )
        )
    return chosen


def budget_of(text: str | None, flag: str = "--budget") -> float | None:
    """A budget in seconds, None for none. Raises HarnessError where the text is no time."""
    try:
        return None if text is None else seconds_of(text)
    except ValueError as error:
        raise HarnessError(f"{flag} {text}: {error}") from None


def written(result: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Write a result into a cell's folder, all its samples included; returns the body of the cell's record."""
    (folder / RESULT).write_text(json.dumps(result, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    kept = {name: value for name, value in result.items() if name not in ("samples", "starts", "schema_version")}
    return kept | {"measurement": {"file": RESULT, "schema_version": result["schema_version"]}}
