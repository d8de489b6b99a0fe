"""Options that several methods share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator

from harness.core.strict_spec import Strict


def listed(value: Any) -> Any:
    """An option that is a list, as it is written on a command line: `a,b`."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(listed)]


class LayerOptions(Strict):
    """Of methods that work layer by layer: groups of layers (`harness.compression.groups`) to leave out, or to touch
    alone.
    """

    skip: Names = ()
    only: Names = ()
