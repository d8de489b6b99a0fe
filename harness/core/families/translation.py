"""Translation: a text in another language."""

from __future__ import annotations

from harness.core.families.base import Family


class Translation(Family):
    name = "translation"
    required = ("source",)
    target = "target"
    predictions = "texts"
    prompt = "translate: {source}"


FAMILY = Translation()
