"""The verb `harness predict`."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

from harness.cli.options import Json, Plain, show_tables
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.machine.environment import thread_variables
from harness.core.reading import expanded
from harness.core.strict_spec import parse
from harness.modeling.answering import read_texts
from harness.modeling.predict_spec import PredictSpec
from harness.modeling.predicting import predict as predict_texts
from harness.modeling.weights.pretrained import served_folder
from harness.report.text.prediction_text import render


@spec_options(PredictSpec)
def predict(
    given: dict[str, Any],
    checkpoint: Annotated[
        str, typer.Argument(metavar="MODEL", help="A save_pretrained folder, compressed or not, or a hub id.")
    ],
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Fill masks, continue a text, answer it or a question about it: whatever the checkpoint's head does."""
    spec = parse(PredictSpec, given, "the command line")
    if spec.logits and not as_json:
        raise HarnessError("--logits goes with --json: a vocabulary of scores does not fit a table")
    os.environ.update(thread_variables(1))
    texts, contexts = _asked(spec)
    results = predict_texts(
        served_folder(checkpoint), texts, spec.top_k, spec.max_new_tokens, spec.logits, spec.allow_partial, contexts
    )
    answers = json.dumps(results, ensure_ascii=False, indent=1) if as_json else render(results)
    show_tables(answers, plain or as_json)


def _asked(spec: PredictSpec) -> tuple[list[str], list[str]]:
    """Texts and contexts. Raises HarnessError where they are given twice."""
    if spec.rows is None:
        return spec.text, spec.context
    if spec.text or spec.context:
        raise HarnessError("--input stands in place of --text and --context; give one or the other")
    return read_texts(expanded(str(spec.rows)))
