"""Names that data sources once had, and what they are called now: the one place that knows them.

A person may still write an old name. Records, manifests, baselines and measurements that were written with it read as
if they had the new one, so that they compare equal to what is written today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SYNTHETIC = "synthetic"
"""The source of data that the package generates; the default."""
RENAMED = {"embedded": SYNTHETIC}
"""Old names of sources, with their names today."""
_LOCATIONS = {"embedded world v": "synthetic world v"}


def canonical(name: Any) -> Any:
    """The name of a source today, of an old one too; anything else stays as it is."""
    return RENAMED.get(name, name) if isinstance(name, str) else name


def canonical_keys(sources: Any) -> Any:
    """A task's section `sources` by the names of today. Raises ValueError where one source stands there twice."""
    if not isinstance(sources, Mapping):
        return sources
    for old, new in RENAMED.items():
        if old in sources and new in sources:
            raise ValueError(f"{old} and {new}: these are one source; give it once")
    return {canonical(name): settings for name, settings in sources.items()}


def canonical_record(content: dict[str, Any]) -> dict[str, Any]:
    """A record, manifest, baseline or measurement as it was read, its sources by their names of today."""
    renamed = dict(content)
    for name in ("data", "spec"):
        if name in renamed:
            renamed[name] = _renamed(renamed[name])
    if isinstance(renamed.get("parts"), list):  # of a baseline
        renamed["parts"] = [_renamed(part) for part in renamed["parts"]]
    if isinstance(renamed.get("cells"), dict):  # of a measurement
        renamed["cells"] = {name: _renamed(cell) for name, cell in renamed["cells"].items()}
    return renamed


def _renamed(facts: Any) -> Any:
    """A source's name, or a mapping that names one as `source` or `data`, and where it lies as `location`."""
    if not isinstance(facts, dict):
        return canonical(facts)
    renamed = {name: canonical(value) if name in ("source", "data") else value for name, value in facts.items()}
    location = renamed.get("location")
    if isinstance(location, str):
        for old, new in _LOCATIONS.items():
            if location.startswith(old):
                renamed["location"] = new + location.removeprefix(old)
    return renamed
