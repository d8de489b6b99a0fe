"""What verbs open: results folders, plug-ins, and the names that the shell completes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.machine.results_place import ACCEPTED, results_folder
from harness.core.registry import load_registry
from harness.core.store import Store


def existing_store(out: str | None) -> Any:
    root = results_folder(out or "results")
    if not (root / "runs").is_dir():
        raise HarnessError(
            f"no results in {root}; make some with `harness run --suite glue`, or name the folder with --results"
        )
    return Store(root)


def folders(out: str | None, baselines: Path | None) -> tuple[Path, Path]:
    """The results folder and that of accepted baselines."""
    return results_folder(out or "results"), baselines or ACCEPTED


def load_plugins(include: list[str] | None) -> None:
    """Of the paths given, where any are: for their metrics and report formats."""
    if include:
        load_registry(include)


def complete_models(incomplete: str) -> list[str]:
    """Model specs whose names begin so."""
    return [name for name in load_registry().model_specs if name.startswith(incomplete)]


def complete_tasks(incomplete: str) -> list[str]:
    """Tasks whose names begin so."""
    return [name for name in load_registry().tasks if name.startswith(incomplete)]


def complete_suites(incomplete: str) -> list[str]:
    """Suites whose names begin so."""
    return [name for name in load_registry().suites if name.startswith(incomplete)]
