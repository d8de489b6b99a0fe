"""What YAML files say of data sets and models for those who choose among them: size, licence, published scores."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from harness.core.strict_spec import Strict

Link = Annotated[str, Field(pattern=r"^https?://\S+$")]


class PublishedScore(Strict):
    """A score that others published: of a model, by one of the task's metrics on a split, as a fraction or a number of
    the metric's scale, and where it stands.
    """

    model: str
    metric: str
    score: float
    split: str = "dev"
    source: Link


class TaskCard(Strict):
    """A data set as its authors describe it. Nothing of it takes part in a score or a key.

    `size` is the number of examples of each split, `licence` the data's, by its SPDX id where it has one, or what the
    authors say; `citation` names the paper, `homepage` is where the data is described.
    """

    homepage: Link | None = None
    citation: str | None = None
    licence: str | None = None
    language: str | None = None
    size: dict[str, int] = Field(default_factory=dict)
    published: list[PublishedScore] = Field(default_factory=list)

    @field_validator("size")
    @classmethod
    def _counts(cls, size: dict[str, int]) -> dict[str, int]:
        if wrong := [split for split, count in size.items() if count < 1]:
            raise ValueError(f"{wrong[0]}: the number of examples is at least 1")
        return size


class ModelCard(Strict):
    """A model as its authors describe it. Nothing of it takes part in a score or a key.

    `licence` is that of the weights, `parameters` their number, `finetuning` where the training settings are from.
    """

    homepage: Link | None = None
    citation: str | None = None
    licence: str | None = None
    language: str | None = None
    parameters: int | None = Field(default=None, ge=1)
    finetuning: str | None = None
