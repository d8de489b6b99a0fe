"""Language modelling: how probable the text is to the model."""

from __future__ import annotations

from harness.core.families.base import Family


class LanguageModeling(Family):
    """The prediction for a text is its log-likelihood, in nats; the text itself is the reference."""

    name = "language-modeling"
    required = ("text",)
    target = None
    predictions = "likelihoods"


FAMILY = LanguageModeling()
