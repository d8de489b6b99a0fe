"""The verb `harness predict`."""

from __future__ import annotations

import json
import os
from typing import Annotated

import typer

from harness.cli.options import AllowPartial, Json, Plain, show_tables
from harness.core.errors import HarnessError
from harness.core.machine.environment import thread_variables
from harness.core.run_spec import OUTPUT, WHAT
from harness.modeling.predicting import predict as predict_texts
from harness.modeling.weights.pretrained import served_folder
from harness.report.text.prediction_text import render


def predict(
    checkpoint: Annotated[
        str, typer.Argument(metavar="MODEL", help="A save_pretrained folder, compressed or not, or a hub id.")
    ],
    text: Annotated[
        list[str], typer.Option("--text", "-t", help="What to complete. Repeatable.", rich_help_panel=WHAT)
    ],
    top_k: Annotated[
        int, typer.Option("--top-k", "-k", help="How many candidates per position.", rich_help_panel=OUTPUT)
    ] = 5,
    max_new_tokens: Annotated[
        int, typer.Option("--max-new-tokens", help="Of a continuation.", rich_help_panel=OUTPUT)
    ] = 20,
    logits: Annotated[
        bool, typer.Option("--logits", help="With the raw scores; needs --json.", rich_help_panel=OUTPUT)
    ] = False,
    allow_partial: AllowPartial = False,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Fill masks, continue a text or answer it: whatever the checkpoint's head does."""
    if logits and not as_json:
        raise HarnessError("--logits goes with --json: a vocabulary of scores does not fit a table")
    os.environ.update(thread_variables(1))
    results = predict_texts(served_folder(checkpoint), text, top_k, max_new_tokens, logits, allow_partial)
    answers = json.dumps(results, ensure_ascii=False, indent=1) if as_json else render(results)
    show_tables(answers, plain or as_json)
