"""The verbs `harness corpus …`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from harness.api import corpora
from harness.cli.options import Include, Json, Quiet, examples
from harness.cli.spec_options import spec_options
from harness.core.atomic import write_atomically
from harness.core.errors import HarnessError
from harness.core.strict_spec import parse
from harness.core.text import emit, say, size_text
from harness.corpora.settings import FilterLaunch, FilterSettings, ReportLaunch, ReportSettings
from harness.data.document import Position
from harness.pipeline.cost import clock
from harness.report.page.corpus import corpus_page
from harness.report.text.corpus import report_lines
from harness.report.text.filtering import funnel_text, prediction_text

app = typer.Typer(no_args_is_help=True, help="Corpora: report what is in one, filter it.")
Source = Annotated[
    str, typer.Argument(metavar="SOURCE", help="A file or folder of text, hub:ID, or synthetic.", show_default=False)
]
TELL_EVERY = 10.0
"""Seconds between two lines about how far it is."""


@app.command(
    "report",
    epilog=examples(
        "harness corpus report my-text/ --html report.html", "harness corpus report sst2 --data ~/glue_data --json"
    ),
)
@spec_options(ReportSettings)
@spec_options(ReportLaunch, into="launch")
def report_text(
    given: dict[str, Any],
    launch: dict[str, Any],
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            help="A file or folder of text or labelled data, hub:ID, synthetic, or a task.",
            show_default=False,
        ),
    ],
    include: Include = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what is in a corpus or in labelled data: diversity, consistency, reliability."""
    how = parse(ReportLaunch, launch, "the command line")
    report = corpora.corpus_report(source, include=include or [], watch=watch(quiet), **given)
    if how.html is not None:
        write_atomically(how.html, corpus_page(report))
    emit(json.dumps(report.as_json(), indent=1, ensure_ascii=False) if as_json else report_lines(report))


@app.command(
    "filter",
    epilog=examples(
        "harness corpus filter my-text/ --rules fineweb -o kept/",
        "harness corpus filter pages.jsonl.gz --rules rules.yaml --dry-run",
    ),
)
@spec_options(FilterSettings)
@spec_options(FilterLaunch, into="launch")
def filter_text(
    given: dict[str, Any],
    launch: dict[str, Any],
    source: Source,
    include: Include = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Keep of a corpus what passes the rules; a ledger says of each removed document why."""
    rules = given.pop("rules", "clean")
    how = parse(FilterLaunch, launch, "the command line")
    if how.dry_run:
        prediction = corpora.predict_filter(source, rules=rules, include=include or [], watch=watch(quiet), **given)
        emit(json.dumps(prediction.as_json(), indent=1) if as_json else prediction_text(prediction))
        return
    if how.output is None:
        raise HarnessError("-o FOLDER is missing: where what is kept goes; or ask for --dry-run")
    made = corpora.corpus_filter(source, how.output, rules=rules, include=include or [], watch=watch(quiet), **given)
    if as_json:
        emit(json.dumps({"schema_version": 1, "folder": str(made.folder), **made.funnel.as_json(),
                         "fingerprint": made.manifest.fingerprint}, indent=1))  # fmt: skip
        return
    say(funnel_text(made.funnel))
    emit(made.folder)


def watch(quiet: bool) -> Callable[[int, int, Position], None]:
    """Says on stderr now and then how far a pass is, and when it will be over."""
    started = last = time.monotonic()

    def tell(documents: int, size: int, position: Position) -> None:
        nonlocal last
        now = time.monotonic()
        if quiet or now - last < TELL_EVERY:
            return
        last = now
        fraction = position.done / position.total if position.total else 0.0
        eta = f", eta {clock((now - started) * (1 - fraction) / fraction)}" if fraction else ""
        progress = f" ({100 * fraction:.0f} %{eta})" if fraction else ""
        say(f"read {documents:,} documents, {size_text(size)}{progress}, {size_text(size / (now - started))}/s")

    return tell
