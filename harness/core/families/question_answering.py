"""Question answering: the answer to a question is a part of the context, or the context has none."""

from __future__ import annotations

from harness.core.families.base import Family


class QuestionAnswering(Family):
    """References are the answers that count as right (SQuAD has several); none of them: the question has no answer."""

    name = "question-answering"
    required = ("question", "context")
    target = "answers"
    predictions = "texts"
    prompt = "question: {question} context: {context}"
    extractive = True


FAMILY = QuestionAnswering()
