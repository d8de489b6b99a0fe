"""A method and its options as one value, a mapping in a file or a text such as `lora:r=8,alpha=16`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from harness.core.errors import did_you_mean
from harness.core.strict_spec import Strict
from harness.core.text import clipped


def method_and_options(text: str) -> tuple[str, dict[str, Any]]:
    """`METHOD:NAME=VALUE,…` in parts. Raises ValueError for an option that is no pair."""
    method, _, rest = text.partition(":")
    pairs = [part.strip().partition("=") for part in rest.split(",") if part.strip()]
    for name, equals, value in pairs:
        if not (name.strip() and equals and value.strip()):
            raise ValueError(f"{clipped(name + equals + value)!r} is no NAME=VALUE")
    return method.strip(), {name.strip(): value.strip() for name, _, value in pairs}


class MethodSpec(Strict):
    """The field `method` says which, the others are its options. `methods` are the names there are; `listed` the
    options that take several values, `a+b` in a text.
    """

    methods: ClassVar[tuple[str, ...]]
    listed: ClassVar[tuple[str, ...]] = ()
    method: str

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        method, options = method_and_options(value)
        if method not in cls.methods:
            raise ValueError(f"unknown method '{clipped(method)}'.{did_you_mean(method, cls.methods)}")
        for name, given in options.items():
            if name not in cls.model_fields or name == "method":
                raise ValueError(f"unknown key '{clipped(name)}'.{did_you_mean(name, cls.model_fields)}")
            options[name] = given.split("+") if name in cls.listed and "+" in given else given
        return {"method": method, **options}

    def __str__(self) -> str:
        """As text, from which the same is read."""
        values = self.model_dump(mode="json", exclude={"method"}, exclude_defaults=True)
        options = [f"{name}={'+'.join(value) if isinstance(value, list) else value}" for name, value in values.items()]
        return ":".join(filter(None, (self.method, ",".join(options))))


def without_unset(training: Mapping[str, Any]) -> dict[str, Any]:
    """A training as JSON has it, without settings that came later and are not set, or change no weight."""
    later = ("augment", "peft", "adversarial", "compile")
    return {
        name: value for name, value in training.items()
        if name != "gradient_checkpointing" and (value not in (None, False) or name not in later)
    }  # fmt: skip
