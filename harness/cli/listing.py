"""The verb `harness list`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.options import Include, Json, Plain, show_tables
from harness.core.registry import load_registry
from harness.report.text.listing import KINDS, listing


def list_names(
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"What to list: {', '.join(KINDS)}.")],
    include: Include = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """List what can be asked for by name."""
    registry = load_registry(include)
    show_tables(listing(registry, kind, as_json), plain or as_json)
