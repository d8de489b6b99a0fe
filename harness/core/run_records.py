"""The manifest of a run: what was asked for, its cells, and what each model is called in it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.facts import Environment, Facts, Timings, shared


class RunCell(Facts):
    """A cell of a run, under the name its model has there."""

    cell: str
    kind: str = ""
    task: str = ""
    model: str = ""
    seed: int = 0
    fraction: float = 1.0
    k_shot: int | None = None
    split: str | None = None
    status: str = "missing"
    cause: str = ""

    @property
    def is_there(self) -> bool:
        """Whether it has a result."""
        return self.status in ("done", "cached")


class ModelNames(Facts):
    """What a run says of one of its models: what it is called, how it was asked for, and of a compressed one its
    original.
    """

    name: str = ""
    id: str = ""
    overrides: dict[str, Any] = Field(default_factory=dict)
    pretrained: str | None = None
    revision: str | None = None
    original: str | None = None
    original_id: str | None = None
    method: str | None = None

    @property
    def given(self) -> dict[str, Any]:
        """Those that the run says."""
        return {name: getattr(self, name) for name in self.model_fields_set}


UNNAMED = ModelNames()
"""Of a run that says nothing."""


class SuiteFacts(Facts):
    name: str
    version: int = 1
    tasks: list[str] = Field(default_factory=list)
    averaged: list[str] = Field(default_factory=list)
    average_by: str = "tasks"
    margins: dict[str, Any] = Field(default_factory=dict)


class NotApplicable(Facts):
    task: str = ""
    model: str = ""
    reason: str = ""


class RunManifest(Facts):
    """A run. `model_facts` is empty of one so old that its records hold the names."""

    schema_version: int = 1
    number: int = 0
    run: str = ""
    created: str = ""
    status: str = ""
    spec: dict[str, Any] = Field(default_factory=dict)
    suites: list[SuiteFacts] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    model_facts: dict[str, ModelNames] = Field(default_factory=dict)
    absent: dict[str, str] = Field(default_factory=dict)
    not_applicable: list[NotApplicable] = Field(default_factory=list)
    cells: list[RunCell] = Field(default_factory=list)
    environment: Environment = shared(Environment())
    timings: Timings = shared(Timings())

    @property
    def data(self) -> str:
        """The source of data that was asked for."""
        return str(self.spec.get("data") or "")

    def names_of(self, cell: RunCell) -> ModelNames:
        """What the run calls the model of one of its cells."""
        return self.model_facts.get(cell.model) or UNNAMED
