"""The verb `harness augment`."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from harness.api.augmenting import augment as augment_examples
from harness.cli.options import Include, Json, Plain, Quiet, show_tables
from harness.cli.spec_options import spec_options
from harness.core.strict_spec import parse
from harness.core.text import emit
from harness.data.augment.settings import AugmentLaunch, AugmentSettings
from harness.report.text.augmenting import augmented_text


@spec_options(AugmentSettings)
@spec_options(AugmentLaunch, into="launch")
def augment(
    given: dict[str, Any],
    launch: dict[str, Any],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A task, or a file or folder of text or labelled data, hub:ID, synthetic.",
            show_default=False,
        ),
    ],
    include: Include = None,
    as_json: Json = False,
    plain: Plain = False,
    quiet: Quiet = False,
) -> None:
    """Show what augmentation makes of examples, and write what would be trained on."""  # fmt: skip
    how = parse(AugmentLaunch, launch, "the command line")
    made = augment_examples(source, how.output, include=include or [], **given)
    if as_json:
        emit(json.dumps(made.as_json(), indent=1, ensure_ascii=False))
    elif not quiet:
        show_tables(augmented_text(made), plain)
