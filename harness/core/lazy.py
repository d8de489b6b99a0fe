"""Modules of our own that import torch or NumPy at their top, named where they are used, imported when touched."""

from __future__ import annotations

import importlib
from typing import Any


class LazyModule:
    """Stands for a module until an attribute of it is asked for."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(importlib.import_module(self.__name__), attribute)


def lazy(name: str) -> Any:
    """A module that is imported at the first use of one of its attributes.

    For modules that import torch, NumPy or a runtime at their top, in modules that a command line of a tenth of a
    second reads: `masks = lazy(NAME)`. Code identity and the test of the layers read the name as they read an import.

    Args:
        name: The full dotted name, as a literal.

    Returns:
        A stand-in with the module's attributes.
    """
    return LazyModule(name)
