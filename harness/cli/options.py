"""Options and small helpers that several verbs share. Imports nothing heavy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.core.errors import HarnessError
from harness.core.machine.results_place import results_folder
from harness.core.registry import load_registry
from harness.core.run_spec import OUTPUT, WHERE
from harness.core.store import Store
from harness.core.text import emit
from harness.gating.baseline import FOLDER
from harness.report.text.fitting import fitted

Out = Annotated[
    Optional[str],
    typer.Option("--results", metavar="DIR", help="The results folder.", show_default="results", rich_help_panel=WHERE),
]
Include = Annotated[
    Optional[list[str]],
    typer.Option(
        "--include",
        metavar="PATH",
        help="More tasks, suites, model specs (YAML) and plug-ins (.py). Repeatable.",
        rich_help_panel=WHERE,
    ),
]
Baselines = Annotated[
    Optional[Path],
    typer.Option(
        "--baselines",
        metavar="DIR",
        help="The folder of accepted baselines.",
        show_default=str(FOLDER),
        rich_help_panel=WHERE,
    ),
]
Plain = Annotated[
    bool, typer.Option("--plain", help="Tables as they are, however narrow the terminal.", rich_help_panel=OUTPUT)
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.", rich_help_panel=OUTPUT)]


def existing_store(out: str | None) -> Any:
    root = results_folder(out or "results")
    if not (root / "runs").is_dir():
        raise HarnessError(
            f"no results in {root}; make some with `harness run --suite glue`, or name the folder with --results"
        )
    return Store(root)


def load_plugins(include: list[str] | None) -> None:
    """Of the paths given, where any are: for their metrics and report formats."""
    if include:
        load_registry(include)


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but failures.", rich_help_panel=OUTPUT)]


def complete_models(incomplete: str) -> list[str]:
    """Model specs whose names begin so."""
    return [name for name in load_registry().model_specs if name.startswith(incomplete)]


def complete_tasks(incomplete: str) -> list[str]:
    """Tasks whose names begin so."""
    return [name for name in load_registry().tasks if name.startswith(incomplete)]


def complete_suites(incomplete: str) -> list[str]:
    """Suites whose names begin so."""
    return [name for name in load_registry().suites if name.startswith(incomplete)]


def show_tables(text: str, plain: bool, commands: Sequence[str] = ()) -> None:
    """Prints tables, as `emit` does; in a terminal so that they fit it, unless they are asked for as they are."""
    if sys.stdout.isatty() and not plain:
        text = fitted(text, shutil.get_terminal_size().columns)
    emit(text, commands)


def folders(out: str | None, baselines: Path | None) -> tuple[Path, Path]:
    """The results folder and that of accepted baselines."""
    return results_folder(out or "results"), baselines or FOLDER


def examples(*commands: str) -> str:
    """The end of a verb's help."""
    return "\n\n".join(["Examples:", *commands])
