"""The language of a text, by the model inside py3langid (Lui and Baldwin 2012, langid.py)."""

from __future__ import annotations

from functools import cache
from typing import Any

MOST = 2_000
"""Characters that are looked at."""


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@cache
def known_languages() -> frozenset[str]:
    """The languages that can be told apart, by their ISO 639-1 codes."""
    return frozenset(_identifier().labels)


def language_of(text: str) -> tuple[str, float]:
    """The likeliest language of a text's first 2,000 characters, and its probability by the model."""
    return _identifier().classify(text[:MOST])
