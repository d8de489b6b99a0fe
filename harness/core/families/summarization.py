"""Summarization: a text in fewer words."""

from __future__ import annotations

from harness.core.families.base import Family


class Summarization(Family):
    name = "summarization"
    required = ("text",)
    target = "summary"
    predictions = "texts"
    prompt = "summarize: {text}"


FAMILY = Summarization()
