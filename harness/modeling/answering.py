"""Answers that stand in a text: what `harness predict` says of a question and its context, as a score has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, did_you_mean
from harness.core.families import QUESTION_ANSWERING
from harness.core.specs import TaskSpec
from harness.core.text import shown
from harness.data.files import read_file
from harness.data.frame import Split
from harness.modeling.checkpoint import Checkpoint, Graph
from harness.modeling.heads.base import EncodingContext
from harness.modeling.heads.question_answering import HEAD
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.settings import read_settings

QUESTION, CONTEXT, TEXT = "question", "context", "text"


def answers(
    checkpoint: Checkpoint, questions: Sequence[str], contexts: Sequence[str], top_k: int
) -> list[dict[str, Any]]:
    """The best answers to each question, by start and end logit.

    Args:
        checkpoint: A question answerer.
        questions: n questions.
        contexts: The text of each.
        top_k: How many answers are given of each.

    Returns:
        n mappings: the `answer` (empty where the model knows questions without one, and this is one), `top` of at most
        `top_k` with the sum of their logits, and `null_margin`: by how much no answer at all is above the best one.
    """
    settings = read_settings(Path(checkpoint.name))
    model, limit = checkpoint.model, settings.max_length
    if isinstance(model, Graph):
        model = model.module
    else:
        limit = min(limit, positions_of(model, "encoder") or limit)
    fields = {QUESTION: tuple(questions), CONTEXT: tuple(contexts)}
    task = TaskSpec(
        name="asked", family=QUESTION_ANSWERING.name, fields={name: name for name in fields}, metrics=["exact_match"]
    )
    task = task.model_copy(update={"decoding": task.decoding.model_copy(update={"n_best": max(20, top_k)})})
    reader = EncodingContext(task, (), checkpoint.tokenizer, limit, 0, settings.fitted)
    split = Split(tuple(map(str, range(len(questions)))), fields)
    predicted = HEAD.predict(model, reader, split)
    columns = predicted.columns
    return [
        {
            "answer": str(answer),
            "top": [{"answer": text, "score": score} for text, score in list(zip(*best, strict=True))[:top_k]],
            "null_margin": margin,
        }
        for answer, margin, *best in zip(
            predicted.values, columns["null_margin"], columns["n_best"], columns["n_best_scores"], strict=True
        )
    ]


def paired(texts: Sequence[str], contexts: Sequence[str]) -> list[str]:
    """A context for each question: one for all, or as many. Raises HarnessError for other numbers, or an empty one."""
    if not contexts:
        raise HarnessError(
            "a question answerer finds answers in a text: give --context TEXT beside --text QUESTION, or --input FILE "
            "with the columns question and context"
        )
    for context in contexts:
        if not context.strip():
            raise HarnessError(f"--context {shown(context)}: it is empty; give some words")
    if len(contexts) not in (1, len(texts)):
        raise HarnessError(f"{len(texts)} questions and {len(contexts)} contexts; give one for all, or one for each")
    return list(contexts) * len(texts) if len(contexts) == 1 else list(contexts)


def read_texts(file: Path) -> tuple[list[str], list[str]]:
    """The rows of a file: texts, or questions with their contexts.

    Args:
        file: JSON Lines, JSON, CSV, TSV or Parquet, with a column `text`, or `question` and `context`.

    Returns:
        The texts or questions, and the contexts; none of those for texts.

    Raises:
        HarnessError: a file that cannot be read, other columns, or a value that is no text.
    """
    table = read_file(file)
    asks = QUESTION in table.names or CONTEXT in table.names
    columns = []
    for name in (QUESTION, CONTEXT) if asks else (TEXT,):
        if name not in table.names:
            hint = did_you_mean(name, table.names)
            wanted = f"{QUESTION} and {CONTEXT}" if asks else f"{TEXT}, or {QUESTION} and {CONTEXT}"
            raise HarnessError(f"--input {file}: it has no column {name}; it takes {wanted}.{hint}")
        values = table.read_column(name)
        for index, value in enumerate(values):
            if not isinstance(value, str) or not value.strip():
                raise HarnessError(f"{table.place(index)}: {name} is {shown(str(value))}, not a text")
        columns.append([str(value) for value in values])
    if not columns[0]:
        raise HarnessError(f"--input {file}: it has no rows")
    return columns[0], columns[1] if asks else []
