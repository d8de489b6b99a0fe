"""The verb `harness verify`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from harness.cli.options import Json, Out, existing_store
from harness.core.run_spec import WHAT
from harness.core.text import emit
from harness.core.verifying import verify as read_all
from harness.report.text.verifying import verification_text


def verify(
    out: Out = None,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Set what is damaged aside, so that it is made again.", rich_help_panel=WHAT),
    ] = False,
    as_json: Json = False,
) -> None:
    """Read every file of a results folder, and name what is not as it was written. Exit code 1 where something is."""
    verification = read_all(existing_store(out), repair)
    emit(
        json.dumps(asdict(verification) | {"sound": verification.sound}, indent=1)
        if as_json
        else verification_text(verification)
    )
    if not verification.sound:
        raise typer.Exit(1)
