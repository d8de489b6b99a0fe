"""Natural language inference: does the premise entail the hypothesis? Two or three classes."""

from __future__ import annotations

from harness.core.families.classification import Classification


class NaturalLanguageInference(Classification):
    name = "nli"
    required = ("premise", "hypothesis")
    optional = ()


FAMILY = NaturalLanguageInference()
