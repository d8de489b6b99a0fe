"""Removes documents in which evaluation examples stand."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from harness.core.registry import load_registry
from harness.core.source_names import SYNTHETIC
from harness.core.strict_spec import Strict, listed
from harness.corpora.contamination.examples import evaluation_examples, tasks_against
from harness.corpora.contamination.index import ContaminationIndex
from harness.corpora.rules.base import Removal, Rule, Text


class DecontaminateOptions(Strict):
    """Whose evaluation examples are looked for."""

    against: Annotated[tuple[str, ...], Field(min_length=1)]
    data: str = Field(default=SYNTHETIC, description="Where their data are.")

    @field_validator("against", mode="before")
    @classmethod
    def _of_one(cls, value: object) -> object:
        return listed(value)


class Decontaminate(Rule):
    """Documents in which examples of the evaluation splits of tasks stand, or of the tasks of suites."""

    Options = DecontaminateOptions
    source = "after SIMPLE of decon (Allen Institute for AI, 2025)"

    def __init__(self, options: DecontaminateOptions) -> None:
        super().__init__(options)
        tasks = tasks_against(load_registry(), options.against)
        self.index = ContaminationIndex(evaluation_examples(tasks, options.data)[0])

    def judge(self, text: Text) -> Removal | None:
        matches = self.index.matches(text.text)
        if not matches:
            return None
        match = max(matches, key=lambda match: match.overlap)
        example = self.index.examples[match.example]
        return Removal("an evaluation example", f"{example.task} {example.split} {example.id}", round(match.overlap, 3))
