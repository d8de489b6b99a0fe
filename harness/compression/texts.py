"""Texts by which a compression is checked, or its ranges are found."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Examples
from harness.core.families import LANGUAGE_MODELING
from harness.core.specs import TaskSpec
from harness.data.corpus import synthetic_sentences
from harness.data.frame import Split
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.weights.settings import Settings

WORLD = "generated English"
SENTENCES = 4
"""In a text."""


def checking_texts(
    settings: Settings, tokenizer: Any, examples: Examples | None, seed: int, count: int
) -> tuple[EncodingContext, Any, str] | None:
    """So many labelled texts as a model reads them, and what they are: examples of its task where they are given, for a
    causal language model without a task generated English; None for others without one.
    """
    if examples is not None:
        task, labels, split = examples.task, examples.labels, examples.train.draw(count, seed)
        kind = f"{len(split)} examples of {task.name}"
    elif settings.head == "causal-lm":
        task, labels, split, kind = _language_modeling(), (), _generated(count), WORLD
    else:
        return None
    reader = EncodingContext(task, labels, tokenizer, settings.max_length, seed, settings.fitted)
    return reader, HEADS.get(settings.head).encode(reader, split), kind


def _language_modeling() -> TaskSpec:
    fields = {"text": "text"}
    return TaskSpec(name="checking", family=LANGUAGE_MODELING.name, fields=dict(fields), metrics=["bits_per_byte"])


def _generated(count: int) -> Split:
    sentences = synthetic_sentences()[-SENTENCES * count :]
    texts = [" ".join(sentences[at : at + SENTENCES]) for at in range(0, len(sentences), SENTENCES)]
    return Split(tuple(map(str, range(len(texts)))), {"text": tuple(texts)})
