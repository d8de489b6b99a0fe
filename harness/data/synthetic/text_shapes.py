"""Shapes whose rows end in texts instead of a class: how each is built. They have neither noise nor `oracle`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from harness.data.synthetic import entities, generation, question_answering, summarization, translation
from harness.data.synthetic.texts import TextShape, tabulate

_QUESTION_COLUMNS = ("title", "context", "question", "answers", "starts")
_QUESTION_SIZES = {"train": 2400, "dev": 500, "test": 500}

DRAWN = {
    "question-answering": TextShape(_QUESTION_COLUMNS, _QUESTION_SIZES, question_answering.answerable),
    "question-answering-null": TextShape(_QUESTION_COLUMNS, _QUESTION_SIZES, question_answering.with_unanswerable),
    "summarization": TextShape(("text", "summary"), {"train": 2000, "dev": 300, "test": 300}, summarization.make),
    "entities": TextShape(("tokens", "tags"), {"train": 2400, "dev": 400, "test": 400}, entities.make),
    "generation": TextShape(("text",), {"train": 3000, "dev": 300, "test": 300}, generation.make),
}

TEXT_SHAPES: dict[str, Callable[[], dict[str, dict[str, list]]]] = {
    **{name: partial(tabulate, name, shape) for name, shape in DRAWN.items()},
    **{name: partial(translation.build, name) for name in translation.TRANSLATIONS},
}
