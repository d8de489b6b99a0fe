"""Entities in a text: what `harness predict` says of a tagger, as a score has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core.families import TOKEN_CLASSIFICATION
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.metrics.entities import entities_of
from harness.modeling.checkpoint import Checkpoint, Graph
from harness.modeling.heads.base import EncodingContext
from harness.modeling.heads.token_classification import HEAD
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.settings import class_names, read_settings

WORD = re.compile(r"\w+|[^\w\s]")
"""Words of a text that nobody has split: runs of letters and digits, and every other mark by itself."""


def tagged(checkpoint: Checkpoint, texts: Sequence[str]) -> list[dict[str, Any]]:
    """The tags of each text's words, and the entities that they mark.

    Args:
        checkpoint: A tagger.
        texts: n texts.

    Returns:
        n mappings: `words`, each with its `tag` and `probability`, and `entities`, each with its type, its text, where
        that begins and ends, and the least probability of its words.
    """
    folder = Path(checkpoint.name)
    settings = read_settings(folder)
    model, limit = checkpoint.model, settings.max_length
    if isinstance(model, Graph):
        model = model.module
    else:
        limit = min(limit, positions_of(model, "encoder") or limit)
    names = class_names(folder)
    tags = tuple(str(name) for _, name in sorted((int(index), name) for index, name in names.items()))
    pieces = [list(WORD.finditer(text)) for text in texts]
    task = TaskSpec(
        name="asked", family=TOKEN_CLASSIFICATION.name, fields={"tokens": "tokens", "tags": "tags"},
        metrics=["seqeval_f1"],
    )  # fmt: skip
    reader = EncodingContext(task, tags, checkpoint.tokenizer, limit, 0, settings.fitted)
    written = tuple(" ".join(piece[0] for piece in of_text) for of_text in pieces)
    predicted = HEAD.predict(model, reader, Split(tuple(map(str, range(len(texts)))), {"tokens": written}))
    answers = []
    for text, of_text, joined, confidence in zip(
        texts, pieces, predicted.values, predicted.columns["confidence"], strict=True
    ):
        words = [
            {"word": piece[0], "tag": tag, "probability": probability}
            for piece, tag, probability in zip(of_text, joined.split(), confidence, strict=True)
        ]
        entities = []
        for kind, first, last in entities_of(joined.split()):
            start, end = of_text[first].start(), of_text[last].end()
            least = min(confidence[first : last + 1])
            entities.append({"type": kind, "text": text[start:end], "start": start, "end": end, "probability": least})
        answers.append({"entities": entities, "words": words})
    return answers
