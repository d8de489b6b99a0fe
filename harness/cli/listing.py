"""The verb `harness list`."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from harness.cli.kept_listing import keep
from harness.cli.options import Include, Json, Plain, show_tables
from harness.cli.spec_options import spec_options
from harness.core.lookup_specs import ListSpec
from harness.core.registry import are_there_others, load_registry
from harness.core.strict_spec import parse
from harness.report.text.cards import card
from harness.report.text.listing import KINDS, listing


@spec_options(ListSpec)
def list_names(
    given: dict[str, Any],
    kind: Annotated[str, typer.Argument(metavar="KIND", help=f"What to list: {', '.join(KINDS)}.")],
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A task or model: all that is said of it.")
    ] = None,
    include: Include = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """List what can be asked for by name, or show the card of one task or model."""
    source = parse(ListSpec, given, "the command line").source
    registry = load_registry(include)
    text = listing(registry, kind, as_json, source) if name is None else card(registry, kind, name, as_json)
    if source is None and not include and not are_there_others(registry):
        keep([word for word in (kind, name) if word is not None], as_json, text)
    show_tables(text, plain or as_json)
