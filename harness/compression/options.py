"""Options that several methods share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from harness.core.strict_spec import Strict


def listed(value: Any) -> Any:
    """An option that is a list, as it is written on a command line: `a,b`."""
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


AUTO = "auto"
"""The value of an option that is searched for (`harness.compression.search`)."""
Names = Annotated[tuple[str, ...], BeforeValidator(listed)]


class LayerOptions(Strict):
    """Of methods that work layer by layer: groups of layers (`harness.compression.groups`) to leave out, or to touch
    alone. `skip=auto` leaves those of a generative model in float that hurt most, until its perplexity rises by no more
    than `margin` (0.05 where nothing is said).
    """

    skip: Names = ()
    only: Names = ()
    margin: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _auto_stands_alone(self) -> LayerOptions:
        if AUTO in self.skip and len(self.skip) > 1:
            raise ValueError("skip: auto stands alone")
        if self.margin is not None and AUTO not in self.skip:
            raise ValueError("margin goes with skip=auto")
        return self

    @model_serializer(mode="wrap")
    def _without_an_idle_margin(self, dumped: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {name: value for name, value in dumped(self).items() if name != "margin" or value is not None}
