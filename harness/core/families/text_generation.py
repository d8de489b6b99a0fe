"""Free generation: the model goes on from the beginning of a text; what it writes is judged without a reference."""

from __future__ import annotations

from harness.core.families.base import Family


class TextGeneration(Family):
    name = "text-generation"
    required = ("text",)
    target = None
    predictions = "texts"


FAMILY = TextGeneration()
