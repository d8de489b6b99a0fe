"""The runs behind the page: what was asked for, how it ended, and on which machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.hashing import hash_json
from harness.core.run_records import RunManifest
from harness.core.text import without_paths
from harness.report.page.model import Asked, Grid

MOST_FAILURES = 20


def asked_and_environments(manifests: Sequence[RunManifest]) -> tuple[tuple[Asked, ...], tuple[Grid, ...]]:
    """Runs, the newest first, and the environments they name by number, each once."""
    known: dict[str, int] = {}
    grids: list[Grid] = []
    runs = []
    for manifest in reversed(manifests):
        environment = manifest.environment.as_json()
        digest = hash_json(environment)
        if digest not in known:
            known[digest] = len(known) + 1
            rows = tuple(_rows(environment))
            grids.append(Grid(f"Environment {known[digest]}", ("", ""), rows, numbers_from=2))
        spec = {key: value for key, value in manifest.spec.items() if value not in (None, [], False)}
        failed = [cell for cell in manifest.cells if cell.status in ("failed", "skipped")]
        failures = [
            f"{cell.kind} {cell.task} {cell.model} seed {cell.seed}: " + without_paths(cell.cause or cell.status)
            for cell in failed
        ]
        if len(failures) > MOST_FAILURES:
            failures[MOST_FAILURES:] = [f"and {len(failures) - MOST_FAILURES} more"]
        counts = Counter(cell.status for cell in manifest.cells)
        runs.append(
            Asked(
                name=manifest.run,
                created=manifest.created,
                status=manifest.status,
                seconds=manifest.timings.seconds,
                asked=", ".join(f"{key} {without_paths(_plain(value))}" for key, value in spec.items()),
                cells=", ".join(f"{count} {status}" for status, count in counts.items()),
                failures=tuple(failures),
                environment=known[digest],
            )
        )
    return tuple(runs), tuple(grids)


def _rows(value: Any, name: str = "") -> Sequence[tuple[str, str]]:
    if isinstance(value, Mapping):
        return [row for key, content in value.items() for row in _rows(content, f"{name} {key}".strip())]
    return [(name, _plain(value))]


def _plain(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
