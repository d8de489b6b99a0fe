"""Modalities: how raw items of a kind become arrays, and how people are shown them. One module each."""

from __future__ import annotations

from harness.core import plugins
from harness.core.families import TEXT
from harness.core.plugins import Plugins
from harness.data.modalities.base import Decoded, Modality, Shown
from harness.data.modalities.decoder import Decoder

MODALITIES: Plugins[Modality] = plugins.table("modality")

TOKENS = "tokens"


def unit_of(items: str) -> str:
    """What rates of models count that read items of a modality, or text where it is none."""
    return MODALITIES.get(items or TEXT).counted


__all__ = ["MODALITIES", "TOKENS", "Decoded", "Decoder", "Modality", "Shown", "unit_of"]
