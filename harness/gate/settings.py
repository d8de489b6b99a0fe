"""What a gate is told: margins, what may change, how strict it is. As flags, or a `gate.yaml`; flags win."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from harness.specs import Name, Strict, TaskName, parse
from harness.strict_yaml import load_mapping

Change = Literal["tokenizer", "training-data"]
ALPHA = 0.05


class GateSpec(Strict):
    """Margins are shares of a metric's scale: 0.01 is one point of a score ×100, or, where a metric has no upper bound,
    one per cent of the base's score.

    A drop is a regression from `margin` on, if it is significant. A task is OK where its drop is surely below
    `ok_margin`. `metrics` and `tasks` have margins of their own; a task's wins, several metrics count by their mean.
    `allow` names what may differ from the baseline's, which is said then: a `tokenizer`, the `training-data`. `models`
    are those of the baseline to judge, `seeds` how many of its seeds, the first ones: all where left out.
    """

    margin: float = Field(default=0.01, ge=0, le=1)
    ok_margin: float = Field(default=0.03, gt=0, le=1)
    tasks: dict[TaskName, float] = Field(default_factory=dict)
    metrics: dict[Name, float] = Field(default_factory=dict)
    strict: bool = False
    allow: list[Change] = Field(default_factory=list)
    models: list[str] = Field(default_factory=list)
    seeds: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _margins_are_shares(self) -> GateSpec:
        for kind, margins in (("tasks", self.tasks), ("metrics", self.metrics)):
            for name, margin in margins.items():
                if not 0 <= margin <= 1:
                    raise ValueError(f"{kind}.{name}: a margin is a share of the scale, 0 to 1, not {margin}")
        return self

    def margin_of(self, task: str, metrics: Sequence[str]) -> float:
        if task in self.tasks:
            return self.tasks[task]
        own = [self.metrics.get(metric, self.margin) for metric in metrics]
        return sum(own) / len(own)

    def ok_margin_of(self, margin: float) -> float:
        """What a drop must surely stay below; never less than the margin itself."""
        return max(self.ok_margin, margin)


def settings(config: Path | None, flags: dict[str, Any]) -> GateSpec:
    """Raises HarnessError for an unknown key or a value out of range."""
    values = {} if config is None else load_mapping(config)
    where = "the command line" if config is None else f"{config} and the command line"
    return parse(GateSpec, {**values, **flags}, where)
