"""Options and small helpers that several verbs share. Imports nothing heavy."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.core.store import Store

Out = Annotated[Optional[str], typer.Option("--out", metavar="DIR", help="The results folder.", show_default="results")]
Include = Annotated[
    Optional[list[str]],
    typer.Option(
        "--include", metavar="PATH", help="More tasks, suites, recipes (YAML) and plug-ins (.py). Repeatable."
    ),
]
Show = Annotated[
    Optional[str],
    typer.Option("--show", metavar="WHAT,…", help="Columns beside the scores: speed, memory, size, as measured."),
]
Pareto = Annotated[
    Optional[Path],
    typer.Option(
        "--pareto",
        metavar="FILE",
        help="Draw quality against speed, memory and size: .png, .svg, .pdf.",
    ),
]


class Mode(StrEnum):
    pr = "pr"
    nightly = "nightly"
    release = "release"


Json = Annotated[bool, typer.Option("--json", help="Machine-readable output on stdout.")]


def existing_store(out: str | None) -> Any:
    root = Path(out or "results")
    if not (root / "runs").is_dir():
        raise HarnessError(
            f"no results in {root}; make some with `harness run --suite glue`, or name the folder with --out"
        )
    return Store(root)


def load_plugins(include: list[str] | None) -> None:
    """Of the paths given, where any are: for their metrics."""
    if include:
        load_registry([Path(path) for path in include])


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
