"""Families: the shapes of tasks. One module each."""

from harness.families.base import Family
from harness.plugins import Plugins

FAMILIES: Plugins[Family] = Plugins(
    "family",
    "FAMILY",
    {
        "classification": "harness.families.classification",
        "nli": "harness.families.nli",
        "similarity": "harness.families.similarity",
    },
)

__all__ = ["FAMILIES", "Family"]
