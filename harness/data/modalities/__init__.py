"""Modalities: how raw items of a kind become arrays, and how people are shown them. One module each."""

from __future__ import annotations

from harness.core import plugins
from harness.core.plugins import Plugins
from harness.data.modalities.base import Decoded, Modality, Shown
from harness.data.modalities.decoder import Decoder

MODALITIES: Plugins[Modality] = plugins.table("modality")

TOKENS = "tokens"
"""What is read of text."""


def unit_of(items: str) -> str:
    """What throughput counts where items of a modality are read, or tokens where it is none."""
    return MODALITIES.get(items).unit if items else TOKENS


__all__ = ["MODALITIES", "TOKENS", "Decoded", "Decoder", "Modality", "Shown", "unit_of"]
