"""The verb `harness list`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.options import Include, Json
from harness.core.registry import load_registry
from harness.report.text.listing import KINDS, listing


def list_names(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"What to list: {', '.join(KINDS)}.")],
    include: Include = None,
    as_json: Json = False,
) -> None:
    """List what can be asked for by name."""
    registry = load_registry([Path(path) for path in include or []])
    print(listing(registry, kind, as_json))
