"""Families: the shapes of tasks. One module each."""

from harness.core import plugins
from harness.core.families.base import Family, Labelling
from harness.core.plugins import Plugins

FAMILIES: Plugins[Family] = plugins.table("family")

__all__ = ["FAMILIES", "Family", "Labelling"]
