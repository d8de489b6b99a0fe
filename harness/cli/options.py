"""Options and small helpers that several verbs share. Imports nothing heavy."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Optional

import typer

from harness.core.machine.results_place import ACCEPTED
from harness.core.panels import OUTPUT, WHERE
from harness.core.text import emit
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
        show_default=str(ACCEPTED),
        rich_help_panel=WHERE,
    ),
]
Plain = Annotated[
    bool, typer.Option("--plain", help="Tables as they are, however narrow the terminal.", rich_help_panel=OUTPUT)
]
Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.", rich_help_panel=OUTPUT)]


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but failures.", rich_help_panel=OUTPUT)]


def show_tables(text: str, plain: bool, commands: Sequence[str] = ()) -> None:
    """Prints tables, as `emit` does; in a terminal so that they fit it, unless they are asked for as they are."""
    if sys.stdout.isatty() and not plain:
        text = fitted(text, shutil.get_terminal_size().columns)
    emit(text, commands)


def examples(*commands: str) -> str:
    """The end of a verb's help."""
    return "\n\n".join(["Examples:", *commands])
