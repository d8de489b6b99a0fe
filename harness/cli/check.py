"""The verb `harness check`."""

from __future__ import annotations

from typing import Annotated

import typer

from harness.cli.opening import load_plugins
from harness.cli.options import Include, Json
from harness.core.text import emit
from harness.exchange.reader import read_results, recognized
from harness.gating.consistency import check as check_results
from harness.report.text.consistency import consistency_json, consistency_text


def check(
    place: Annotated[str, typer.Argument(metavar="FILE", help="A file or folder of another tool, or READER:PATH.")],
    include: Include = None,
    as_json: Json = False,
) -> None:
    """Compute another tool's scores again of its single examples, and name values that cannot be, a line each. Exit
    code 1 where something is wrong, 2 for what cannot be read.
    """
    load_plugins(include)
    checked = check_results(read_results(recognized(place)))
    emit(consistency_json(checked) if as_json else consistency_text(checked))
    if not checked.sound:
        raise typer.Exit(1)
