"""What a file of `--checks` says: changes of a task's texts, and what they must do to a model's answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.core.strict_spec import Strict, listed

Written = Annotated[str, Field(min_length=1, pattern=r"\S")]
Texts = Annotated[list[Written], BeforeValidator(listed), Field(min_length=1)]


class Change(Strict):
    """One way to change a text.

    Attributes:
        operation: An operation of augmentation with its options, such as `{typos: {rate: 0.1}}`.
        swap: Words, one of which becomes another of them, such as names of places.
        numbers: Numbers become others of as many digits.
        prepend: One of these texts is put before.
        append: One of these texts is put behind.
    """

    operation: dict[str, dict[str, Any]] | None = Field(default=None, min_length=1, max_length=1)
    swap: list[Written] | None = Field(default=None, min_length=2)
    numbers: Literal[True] | None = None
    prepend: Texts | None = None
    append: Texts | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("operation"), str):
            return {**value, "operation": {value["operation"]: {}}}
        return value

    @model_validator(mode="after")
    def _is_one(self) -> Change:
        if self.swap is not None and len(set(self.swap)) < len(self.swap):
            raise ValueError("swap: a word is given twice")
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give one of {', '.join(type(self).model_fields)}, not {' and '.join(given) or 'none'}")
        return self


class BehaviourTest(Strict):
    """A change and what it must do: nothing to the class that a model answers (an invariance test) or, with `label`,
    not lower (or not raise) the probability of that class by more than `tolerance` (a directional test).
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _-]*$")
    change: Change
    label: str | None = None
    direction: Literal["not-lower", "not-higher"] = "not-lower"
    tolerance: float = Field(default=0.1, ge=0, lt=1)

    @property
    def kind(self) -> str:
        """What CheckList calls it."""
        return "invariance" if self.label is None else "directional"


class ChecksSpec(Strict):
    """Tests of a model's behaviour on the texts of a task, labels unseen (Ribeiro et al. 2020). Of each test at most
    `most` examples are changed, drawn by `seed`; `field` is the text that is changed, the last one if left out. `texts`
    is a file of others than the task's, without labels.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    description: str = ""
    tests: list[BehaviourTest] = Field(min_length=1)
    most: int = Field(default=200, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0, lt=2**31)
    field: str | None = None
    texts: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _names_are_different(self) -> ChecksSpec:
        names = [test.name for test in self.tests]
        if len(set(names)) < len(names):
            raise ValueError(f"two tests are called '{max(names, key=names.count)}'")
        return self
