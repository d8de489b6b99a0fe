"""The verb `harness predict`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from harness.cli.options import Json, Plain, show_tables
from harness.cli.spec_options import spec_options
from harness.core.errors import HarnessError
from harness.core.machine.environment import thread_variables
from harness.core.reading import expanded
from harness.core.strict_spec import parse
from harness.modeling.answering import read_texts
from harness.modeling.item_predicting import ItemQuestion, predict_items
from harness.modeling.predict_spec import PredictSpec
from harness.modeling.predicting import predict as predict_texts
from harness.modeling.weights.pretrained import served_folder
from harness.modeling.weights.settings import item_head
from harness.report.text.prediction_text import render


@spec_options(PredictSpec)
def predict(
    given: dict[str, Any],
    checkpoint: Annotated[
        str, typer.Argument(metavar="MODEL", help="A save_pretrained folder, compressed or not, or a hub id.")
    ],
    files: Annotated[
        Optional[list[Path]],  # typer reads annotations in this form
        typer.Argument(metavar="FILE", help="Images or sounds, of a model that reads them.", show_default=False),
    ] = None,
    as_json: Json = False,
    plain: Plain = False,
) -> None:
    """Fill masks, continue a text, answer it or a question about it, name what an image or a sound shows: whatever the
    checkpoint's head does.
    """
    spec = parse(PredictSpec, given, "the command line")
    if spec.logits and not as_json:
        raise HarnessError("--logits goes with --json: a vocabulary of scores does not fit a table")
    os.environ.update(thread_variables(1))
    results = _predicted(served_folder(checkpoint), [expanded(str(file)) for file in files or ()], spec)
    answers = json.dumps(results, ensure_ascii=False, indent=1) if as_json else render(results)
    show_tables(answers, plain or as_json)


def _predicted(folder: Path, files: list[Path], spec: PredictSpec) -> list[dict[str, Any]]:
    """Of files where some are given or the model reads no texts, else of texts."""
    if not files and item_head(folder) is None:
        if spec.labels or spec.template:
            raise HarnessError("--labels and --template go with files of images or sounds; name some after the model")
        texts, contexts = _asked(spec)
        return predict_texts(folder, texts, spec.top_k, spec.max_new_tokens, spec.logits, spec.allow_partial, contexts)
    if spec.context or spec.rows:
        raise HarnessError("--context and --input go with models that read texts; name files after the model")
    question = ItemQuestion(spec.labels, spec.template, spec.text)
    return predict_items(folder, files, question, spec.top_k, spec.logits, spec.allow_partial)


def _asked(spec: PredictSpec) -> tuple[list[str], list[str]]:
    """Texts and contexts. Raises HarnessError where they are given twice."""
    if spec.rows is None:
        return spec.text, spec.context
    if spec.text or spec.context:
        raise HarnessError("--input stands in place of --text and --context; give one or the other")
    return read_texts(expanded(str(spec.rows)))
