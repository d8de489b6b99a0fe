"""What `--attack` says: which attack a model is scored under, with its options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from harness.core.method_spec import method_and_options
from harness.core.strict_spec import Strict


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
        method, options = method_and_options(value)
        return {"method": method, "options": options}


def _several(value: Any) -> Any:
    return [value] if isinstance(value, str | Mapping) else value


Attacks = Annotated[list[AttackSpec], BeforeValidator(_several)]
"""Attacks, one of which may stand alone."""
