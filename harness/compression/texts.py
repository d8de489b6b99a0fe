"""Texts by which a compression is checked, or its ranges are found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.compression.base import Examples
from harness.core.families import LANGUAGE_MODELING
from harness.core.specs import TaskSpec
from harness.data.corpus import synthetic_sentences
from harness.data.frame import Split
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.inference.batching import IGNORED
from harness.modeling.inference.decoding_inputs import start_of
from harness.modeling.weights.settings import Settings

if TYPE_CHECKING:
    import torch

WORLD = "generated English"
SENTENCES = 4
"""In a text."""


def checking_texts(
    settings: Settings, tokenizer: Any, examples: Examples | None, seed: int, count: int, after: int = 0
) -> tuple[Any, str] | None:
    """So many labelled texts as a model reads them, and what they are: examples of its task where they are given, for a
    causal language model without a task generated English; None for others without one. `after` so many others; where
    there are no more, of the first half of them all.
    """
    if examples is not None:
        task, labels = examples.task, examples.labels
        drawn = examples.train.draw(len(examples.train), seed)
        after = after if after < len(drawn) else len(drawn) // 2
        split = drawn.select(range(after, min(after + count, len(drawn))))
        kind = f"{len(split)} examples of {task.name}"
    elif settings.head == "causal-lm":
        task, labels, split, kind = _language_modeling(), (), _generated(count, after), WORLD
    else:
        return None
    reader = EncodingContext(task, labels, tokenizer, settings.max_length, seed, settings.fitted)
    return HEADS.get(settings.head).encode(reader, split), kind


def before_labels(model: Any, labels: torch.Tensor) -> torch.Tensor:
    """What an encoder–decoder has written before each of its labels (b, t): the start token and the labels to the left.
    Graphs have no method of their own for it.
    """
    import torch

    start = torch.full((len(labels), 1), start_of(model))
    return torch.cat([start, labels.masked_fill(labels == IGNORED, model.config.pad_token_id or 0)[:, :-1]], dim=1)


def _language_modeling() -> TaskSpec:
    fields = {"text": "text"}
    return TaskSpec(name="checking", family=LANGUAGE_MODELING.name, fields=dict(fields), metrics=["bits_per_byte"])


def _generated(count: int, after: int) -> Split:
    every = synthetic_sentences()
    end = len(every) - SENTENCES * after
    sentences = every[end - SENTENCES * count : end]
    texts = [" ".join(sentences[at : at + SENTENCES]) for at in range(0, len(sentences), SENTENCES)]
    return Split(tuple(map(str, range(len(texts)))), {"text": tuple(texts)})
