"""What `--attack` says: which attack a model is scored under, with its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from harness.core.strict_spec import Strict
from harness.core.text import clipped


class AttackSpec(Strict):
    """An attack and its options, which the attack itself checks.

    As text: `textfooler`, or `textfooler:queries=200,protect=film+actor`; of several values one `+` stands between. In
    a file also `{textfooler: {queries: 200}}`.
    """

    method: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _written(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and len(value) == 1 and "method" not in value:
            ((method, options),) = value.items()
            return {"method": method, "options": {} if options is None else options}
        if not isinstance(value, str):
            return value
        method, _, rest = value.partition(":")
        return {"method": method.strip(), "options": dict(_option(part) for part in rest.split(",") if part.strip())}


def _option(part: str) -> tuple[str, Any]:
    name, equals, value = part.strip().partition("=")
    if not (name.strip() and equals and value.strip()):
        raise ValueError(f"{clipped(part.strip())!r} is no NAME=VALUE, as in textfooler:queries=200,changed=0.2")
    return name.strip(), value.strip()


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str | Mapping) else value


Attacks = Annotated[list[AttackSpec], BeforeValidator(_several)]
"""Attacks, one of which may stand alone."""
