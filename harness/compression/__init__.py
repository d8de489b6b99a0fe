"""Compressors: a fine-tuned model to a smaller or faster one. One module each."""

from __future__ import annotations

from warnings import warn

from harness.compression.base import Compressor, Request, Student, Target
from harness.core import plugins
from harness.core.plugins import Plugins

COMPRESSORS: Plugins[type[Compressor]] = plugins.table("compressor")


def register(name: str, compressor: type[Compressor]) -> type[Compressor]:
    """Deprecated: `harness.register("compressor", name, compressor)` does this for all kinds of plug-ins."""
    warn('use harness.register("compressor", name, compressor)', DeprecationWarning, stacklevel=2)
    return COMPRESSORS.register(name, compressor)


__all__ = ["COMPRESSORS", "Compressor", "Request", "Student", "Target", "register"]
