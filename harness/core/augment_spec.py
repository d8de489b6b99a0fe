"""What `augment` of a model spec says: which operations make further training examples, and how many."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from harness.core import plugins
from harness.core.errors import did_you_mean
from harness.core.strict_spec import Strict, parse, single_words
from harness.core.text import clipped

EDA_RATE = 0.1
"""The fraction of a text's words that an operation of EDA changes: the paper's alpha for 5,000 examples and more."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "aeda": {"copies": 1, "operations": ["aeda"]},
    "eda": {
        "copies": 4,
        "operations": [
            {"synonyms": {"rate": EDA_RATE}},
            {"insert": {"rate": EDA_RATE}},
            {"swap": {"rate": EDA_RATE}},
            {"delete": {"rate": EDA_RATE}},
        ],
    },
    "eda-no-synonyms": {"copies": 4, "operations": [{"swap": {"rate": EDA_RATE}}, {"delete": {"rate": EDA_RATE}}]},
    "noise": {"copies": 1, "operations": ["typos", "case", "punctuation"]},
    "style": {"copies": 1, "operations": ["case", "contractions"]},
}
"""Wei and Zou 2019 (arXiv 1901.11196), Karimi et al. 2021 (arXiv 2108.13230), and light changes of form."""


class AugmentSpec(Strict):
    """Further training examples, made of those there are.

    Each example gets `copies`, beside itself where `keep_original`; `choose` says whether a copy is made by one of the
    operations, in turn, or by all, one after the other. `each: epoch` makes new copies for each epoch; otherwise the
    same are seen in all. What is drawn depends on the seed, the example's id, and the number of the copy or epoch.

    Words of `protect` are neither removed nor replaced, as negations and numbers are not. `unsafe` applies operations
    that can change the label as well; the record says so. In a file a preset is its name, or `preset: NAME` with keys
    that replace its own.
    """

    copies: int = Field(default=1, ge=1, le=256)
    keep_original: bool = True
    each: Literal["once", "epoch"] = "once"
    choose: Literal["one", "all"] = "one"
    operations: Annotated[list[dict[str, dict[str, Any]]], Field(min_length=1)]
    protect: Annotated[tuple[str, ...], AfterValidator(single_words)] = ()
    unsafe: bool = False

    @model_validator(mode="before")
    @classmethod
    def _of_preset(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {"preset": value}
        if not isinstance(value, Mapping) or "preset" not in value:
            return value
        name = str(value["preset"])
        if name not in PRESETS:
            raise ValueError(f"unknown preset '{clipped(name)}'.{did_you_mean(name, PRESETS)}")
        return {**PRESETS[name], **{key: given for key, given in value.items() if key != "preset"}}

    @field_validator("operations", mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if not isinstance(value, list) or not value:
            raise ValueError("a list of operations is expected")
        return [{operation: {}} if isinstance(operation, str) else _mapping(operation) for operation in value]

    @property
    def named(self) -> list[tuple[str, dict[str, Any]]]:
        """The operations' names and options."""
        return [pair for operation in self.operations for pair in operation.items()]

    @property
    def protected(self) -> frozenset[str]:
        """The words of `protect`, as they are compared."""
        return frozenset(word.lower() for word in self.protect)

    @property
    def rows(self) -> int:
        """How many rows an example comes to."""
        return self.copies + self.keep_original


def _mapping(operation: Any) -> Any:
    if not isinstance(operation, Mapping) or len(operation) != 1:
        raise ValueError("an operation is its name, or its name with options")
    return {str(name): options or {} for name, options in operation.items()}


def check_operations(spec: AugmentSpec, where: str) -> None:
    """Raises HarnessError for an unknown operation or option, and for a value out of its range."""
    for name, options in spec.named:
        parse(plugins.lookup("augmentation", name, where).Options, dict(options), f"{where}: {name}")
