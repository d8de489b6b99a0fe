"""What `peft` of a model spec says: which adapter is trained in place of the weights."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.core.method_spec import MethodSpec

AUTO = "auto"


class PeftSpec(MethodSpec):
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

    methods: ClassVar[tuple[str, ...]] = ("lora", "dora", "ia3")
    listed: ClassVar[tuple[str, ...]] = ("target_modules",)
    method: Literal["lora", "dora", "ia3"] = "lora"
    r: int = Field(default=8, ge=1, le=4096)
    alpha: int = Field(default=16, ge=1, le=65536)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: str | list[str] = AUTO
    quantize_base: Literal["nf4", "int8"] | None = None

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


def _default(name: str) -> Any:
    return PeftSpec.model_fields[name].default
