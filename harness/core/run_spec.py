"""What a run is asked for: the flags of `harness run`, or a file with the same keys."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.core.specs import Name, OptimizerName, TaskName
from harness.core.strict_spec import Strict, listed


def _comma_separated(value: Any) -> Any:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [value] if isinstance(value, int | float) else value


Fraction = Annotated[float, Field(gt=0, le=1)]
SEED_MODES = {"pr": 3, "nightly": 5, "release": 10}
"""How many seeds a pull request, a nightly run and a release take."""
Count = Annotated[int, Field(ge=1, le=65536)]


def _tokens_or_task(value: Any) -> int | str:
    if value == "task":
        return value
    try:
        if 1 <= int(value) <= 65536:
            return int(value)
    except (TypeError, ValueError):
        pass
    raise ValueError("a number of tokens, or task")


Length = Annotated[int | Literal["task"], BeforeValidator(_tokens_or_task)]


class RunSpec(Strict):
    """What one `harness run` is asked for: the flags, or the keys of `--config run.yaml`."""

    suite: Annotated[list[Name], BeforeValidator(listed)] = Field(default_factory=list)
    task: Annotated[list[TaskName], BeforeValidator(listed)] = Field(default_factory=list)
    model: Annotated[list[str], BeforeValidator(listed)] = Field(default_factory=list)
    data: str = "embedded"
    seeds: int = Field(default=1, ge=1, le=1000)
    first_seed: int = Field(default=0, ge=0, lt=2**31)
    limit: int | None = Field(default=None, ge=1)
    epochs: float | None = Field(default=None, gt=0, le=1000)
    batch_size: int | None = Field(default=None, ge=1, le=65536)
    optimizer: OptimizerName | None = None
    learning_rate: float | None = Field(default=None, gt=0, le=10)
    select: Literal["last", "best"] | None = None
    from_scratch: bool = False
    train: bool = True
    train_fractions: Annotated[list[Fraction], BeforeValidator(_comma_separated)] = Field(default_factory=list)
    noise: Annotated[list[str], BeforeValidator(listed)] = Field(default_factory=list)
    compress: Annotated[list[str], BeforeValidator(listed)] = Field(default_factory=list)
    measure: bool = False
    measure_batch: Annotated[list[Count], BeforeValidator(_comma_separated)] = Field(default_factory=list)
    measure_length: Annotated[list[Length], BeforeValidator(_comma_separated)] = Field(default_factory=list)
    measure_device: Literal["auto", "cpu", "cuda"] | None = None
    measure_precision: float | None = Field(default=None, gt=0, lt=1)
    measure_budget: str | None = None
    out: str = "results"
    executor: str = "local"
    workers: int | None = Field(default=None, ge=1, le=1024)
    threads: int | None = Field(default=None, ge=1, le=1024)
    include: Annotated[list[str], BeforeValidator(listed)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _settings_of_measuring_go_with_it(self) -> RunSpec:
        given = [name for name in type(self).model_fields if name.startswith("measure_") and getattr(self, name)]
        if given and not self.measure:
            raise ValueError(f"{given[0]} goes with measure")
        return self

    def overrides(self) -> dict[str, Any]:
        """The training values given for this run, by the names of `TrainingSpec`."""
        names = ("epochs", "batch_size", "optimizer", "learning_rate", "select")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}
