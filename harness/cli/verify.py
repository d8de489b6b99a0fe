"""The verb `harness verify`."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import typer

from harness.cli.opening import existing_store
from harness.cli.options import Json, Out
from harness.cli.spec_options import spec_options
from harness.core.lookup_specs import VerifySpec
from harness.core.strict_spec import parse
from harness.core.text import emit
from harness.core.verifying import verify as read_all
from harness.report.text.verifying import verification_text


@spec_options(VerifySpec)
def verify(
    given: dict[str, Any],
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Read every file of a results folder, and name what is not as it was written. Exit code 1 where something is."""
    verification = read_all(existing_store(out), parse(VerifySpec, given, "the command line").repair)
    emit(
        json.dumps(asdict(verification) | {"sound": verification.sound}, indent=1)
        if as_json
        else verification_text(verification)
    )
    if not verification.sound:
        raise typer.Exit(1)
