"""What `peft` of a model spec says: which adapter is trained in place of the weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.core.errors import did_you_mean
from harness.core.strict_spec import Strict
from harness.core.text import clipped

METHODS = ("lora", "dora", "ia3")
AUTO = "auto"


class PeftSpec(Strict):
    """Parameter-efficient fine-tuning: the weights stay as they are, and an adapter beside them is trained, with the
    head of the task in full.

    `lora` adds `alpha` / `r` times a product of two matrices of rank `r` to a layer's weights (Hu et al. 2021, arXiv
    2106.09685); `dora` trains the length of each column beside it (Liu et al. 2024, arXiv 2402.09353); `ia3` scales
    keys, values and inner activations (Liu et al. 2022, arXiv 2205.05638). `dropout` is of the adapter's input.
    `target_modules` are names of layers or the last parts of them; `auto` is all linear layers outside the head, which
    equals full fine-tuning where queries and values alone do not (Dettmers et al. 2023, arXiv 2305.14314), for `ia3`
    the layers that the library peft lists for the architecture. `quantize_base` keeps the weights in 4 or 8 bits while
    the adapter is trained (QLoRA). As text: `lora`, or `lora:r=8,alpha=16,target_modules=query+value`.
    """

    method: Literal["lora", "dora", "ia3"] = "lora"
    r: int = Field(default=8, ge=1, le=4096)
    alpha: int = Field(default=16, ge=1, le=65536)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | list[str] = AUTO
    quantize_base: Literal["nf4", "int8"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_text(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        method, _, rest = value.partition(":")
        if method not in METHODS:
            raise ValueError(f"unknown method '{clipped(method)}'.{did_you_mean(method, METHODS)}")
        options = dict(_option(part) for part in rest.split(",") if part.strip())
        return {"method": method, **options}

    @model_validator(mode="after")
    def _options_go_with_the_method(self) -> PeftSpec:
        given = [name for name in ("r", "alpha", "dropout") if getattr(self, name) != _default(name)]
        if self.method == "ia3" and given:
            raise ValueError(f"{given[0]} goes with lora and dora, ia3 has none")
        names = self.named_modules
        if names is not None and any(mark in name for name in names for mark in ",+="):
            raise ValueError("target_modules: a name of a layer has none of , + and =")
        if names is not None and (not names or not all(name.strip() for name in names)):
            raise ValueError("target_modules: auto, or names of layers such as query and value")
        return self

    @property
    def named_modules(self) -> list[str] | None:
        """The layers that are named; None for `auto`."""
        if self.target_modules == AUTO:
            return None
        return [self.target_modules] if isinstance(self.target_modules, str) else self.target_modules

    def __str__(self) -> str:
        """As text, from which the same is read."""
        values = self.model_dump(mode="json", exclude={"method"}, exclude_defaults=True)
        options = [f"{name}={'+'.join(value) if isinstance(value, list) else value}" for name, value in values.items()]
        return ":".join(filter(None, (self.method, ",".join(options))))


def _option(part: str) -> tuple[str, Any]:
    name, equals, value = part.strip().partition("=")
    if not equals:
        raise ValueError(f"{clipped(part.strip())!r} is no NAME=VALUE, as in lora:r=8,alpha=16")
    if name not in PeftSpec.model_fields or name == "method":
        raise ValueError(f"unknown key '{clipped(name)}'.{did_you_mean(name, PeftSpec.model_fields)}")
    return name, value.split("+") if name == "target_modules" and "+" in value else value


def _default(name: str) -> Any:
    return PeftSpec.model_fields[name].default


def without_unset(training: Mapping[str, Any]) -> dict[str, Any]:
    """A training as JSON has it, without settings that came later and are not set: what it computes is what it was."""
    return {name: value for name, value in training.items() if value is not None or name not in ("augment", "peft")}
