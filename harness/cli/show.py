"""The verb `harness show`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.opening import existing_store
from harness.cli.options import Json, Out, Plain, show_tables
from harness.report.text import runs
from harness.report.text.pretraining import pretrainings_of


def show(
    name: Annotated[str, typer.Argument(metavar="RUN", help="A run's name, part of it, or latest.")] = "latest",
    out: Out = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Show a run: what was asked for, its cells, scores, failures and their causes."""
    store = existing_store(out)
    if as_json:
        show_tables(runs.run_json(store, name), plain=True)
        return
    show_tables("\n\n".join(filter(None, (runs.run_text(store, name), pretrainings_of(store, name)))), plain)
