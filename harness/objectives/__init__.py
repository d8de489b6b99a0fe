"""Objectives: what a model learns from text without labels. One module each."""

import inspect
from pathlib import Path

from harness.objectives.base import Objective, Tokens
from harness.plugins import Plugins

OBJECTIVES: Plugins[type[Objective]] = Plugins(
    "objective",
    "OBJECTIVE",
    {
        "clm": "harness.objectives.clm",
        "mlm": "harness.objectives.mlm",
        "mlm-distill": "harness.objectives.mlm_distill",
        "rtd": "harness.objectives.rtd",
        "span-corruption": "harness.objectives.span_corruption",
        "token-order": "harness.objectives.token_order",
    },
)


def register(name: str, objective: type[Objective]) -> type[Objective]:
    """Add an objective from outside: recipes name it in `pretraining.objective`.

    Raises:
        HarnessError: the name is built in, or taken by another module.
    """
    return OBJECTIVES.register(name, objective, source=Path(inspect.getsourcefile(objective) or ""))


__all__ = ["OBJECTIVES", "Objective", "Tokens", "register"]
