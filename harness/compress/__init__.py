"""Compressors: a fine-tuned model to a smaller or faster one. One module each."""

from __future__ import annotations

import inspect
from pathlib import Path

from harness.compress.base import Compressor, Request, Student, Target
from harness.core import plugins
from harness.core.plugins import Plugins

COMPRESSORS: Plugins[type[Compressor]] = plugins.table("compressor")


def register(name: str, compressor: type[Compressor]) -> type[Compressor]:
    """Add a compressor from outside: `--compress NAME` and `harness compress --method NAME` find it.

    Raises:
        HarnessError: the name is built in, or taken by another module.
    """
    return COMPRESSORS.register(name, compressor, source=Path(inspect.getsourcefile(compressor) or ""))


__all__ = ["COMPRESSORS", "Compressor", "Request", "Student", "Target", "register"]
