"""Compressors: a fine-tuned model to a smaller or faster one. One module each."""

from __future__ import annotations

from harness.compress.base import Compressor, Request, Student, Target
from harness.core import plugins
from harness.core.plugins import Plugins

COMPRESSORS: Plugins[type[Compressor]] = plugins.table("compressor")


__all__ = ["COMPRESSORS", "Compressor", "Request", "Student", "Target"]
