"""Objectives: what a model learns from text without labels. One module each."""

import inspect
from pathlib import Path

from harness.core import plugins
from harness.core.plugins import Plugins
from harness.training.objectives.base import Objective, Tokens

OBJECTIVES: Plugins[type[Objective]] = plugins.table("objective")


def register(name: str, objective: type[Objective]) -> type[Objective]:
    """Add an objective from outside: recipes name it in `pretraining.objective`.

    Raises:
        HarnessError: the name is built in, or taken by another module.
    """
    return OBJECTIVES.register(name, objective, source=Path(inspect.getsourcefile(objective) or ""))


__all__ = ["OBJECTIVES", "Objective", "Tokens", "register"]
