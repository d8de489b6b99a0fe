"""Modalities: how raw items of a kind become arrays, and how people are shown them. One module each."""

from __future__ import annotations

from harness.core import plugins
from harness.core.plugins import Plugins
from harness.data.modalities.base import Decoded, Modality, Shown
from harness.data.modalities.decoder import Decoder

MODALITIES: Plugins[Modality] = plugins.table("modality")

__all__ = ["MODALITIES", "Decoded", "Decoder", "Modality", "Shown"]
