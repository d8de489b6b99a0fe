"""A search for training values: its space, and how it is gone through."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from harness.core.errors import HarnessError, did_you_mean
from harness.core.option_values import comma_separated
from harness.core.panels import OUTPUT
from harness.core.peft_spec import PeftSpec
from harness.core.specs import TrainingSpec
from harness.core.strict_spec import Strict, Time, parse, setting
from harness.core.strict_yaml import load_mapping

DEFAULT = "default"
OF_PEFT = "peft."
NEVER_SEARCHED = ("augment",)
SEARCH = "Search"


class Range(Strict):
    """Numbers from `low` to `high`; `log`: each order of magnitude alike."""

    low: float
    high: float
    log: bool = False

    @model_validator(mode="after")
    def _is_a_range(self) -> Range:
        if not self.low < self.high:
            raise ValueError(f"low is {self.low:g} and high {self.high:g}; low must be below high")
        if self.log and self.low <= 0:
            raise ValueError("log: low must be above 0")
        return self


Choice = bool | int | float | str | None
Space = dict[str, Range | tuple[Choice, ...]]
"""By the names of `TrainingSpec` and, behind `peft.`, of `PeftSpec`: a range or choices."""


class TuneSpec(Strict):
    """How a search goes. Trials are drawn `batch` at a time, so that what is drawn depends on values alone and never on
    which worker was first; of those of a batch the best `keep` go on at each of `rungs`, fractions of the epochs
    (successive halving; Jamieson and Talwalkar 2016). One of `held_out` parts of the training examples chooses.
    """

    space: str = setting(DEFAULT, "A YAML file: ranges or choices by training value.", panel=SEARCH, metavar="FILE")
    trials: int = setting(20, "How many.", panel=SEARCH, ge=1, le=10_000)
    budget: Time | None = setting(
        None, "Nothing more is trained after this time: 90s, 10m, 2h.", panel=SEARCH, metavar="TIME"
    )
    sampler: Literal["tpe", "random"] = setting(
        "tpe", "tpe learns from the trials before; random draws each alike.", panel=SEARCH
    )
    batch: int = setting(6, "Trials drawn together, and compared with one another.", panel=SEARCH, ge=1, le=1000)
    rungs: Annotated[list[Annotated[float, Field(gt=0, le=1)]], BeforeValidator(comma_separated)] = setting(
        list, "Fractions of the epochs after which the worse trials end; 1: none do.", panel=SEARCH, metavar="F,…",
        shown="0.25,1", comma=True,
    )  # fmt: skip
    keep: float = setting(0.5, "The fraction of trials that go on from a rung.", panel=SEARCH, gt=0, le=1)
    held_out: int = setting(
        5,
        "One of so many parts of the training examples chooses; the scored split never does.",
        panel=SEARCH,
        ge=2,
        le=1000,
    )
    search_seed: int = setting(0, "Of what is drawn.", panel=SEARCH, ge=0, lt=2**31)
    output: Path | None = setting(
        None, "Write the model spec with the best values, for --model.", panel=OUTPUT, metavar="FILE", short="o"
    )

    dry_run: bool = setting(False, "Say what would be searched, and how long it takes.", panel=OUTPUT)

    @model_validator(mode="after")
    def _rungs_rise_to_one(self) -> TuneSpec:
        if self.rungs and (self.rungs != sorted(set(self.rungs)) or self.rungs[-1] != 1):
            raise ValueError("rungs: fractions that rise to 1, as in 0.25,1")
        return self

    @property
    def steps(self) -> list[float]:
        """The rungs, where none are given the usual ones."""
        return self.rungs or [0.25, 1.0]


def read_space(file: Path, base: TrainingSpec) -> Space:
    """The space in a file, for a training it changes. Raises HarnessError as `load_mapping` and `check_space` do."""
    values = load_mapping(file)
    if not values:
        raise HarnessError(
            f"{file}: it names no training value; as in learning_rate: {{low: 1.0e-5, high: 1.0e-4, log: true}}"
        )
    return checked_space(values, base, str(file))


def checked_space(values: Mapping[str, Any], base: TrainingSpec, where: str) -> Space:
    """A space from what a file says. Raises HarnessError for a name that is no training value, a range or choices that
    are none, and a value that the training cannot have.
    """
    space: Space = {}
    for name, given in values.items():
        check_name(name, where)
        if isinstance(given, Mapping):
            space[name] = parse(Range, dict(given), f"{where}: {name}")
        elif isinstance(given, list) and given and all(isinstance(value, Choice) for value in given):
            space[name] = tuple(dict.fromkeys(given))
        else:
            raise HarnessError(f"{where}: {name}: a range {{low: …, high: …}} or a list of choices is expected")
    peft = next((value for value in space.get("peft", ()) if value), None)
    start = base if peft is None else with_values(base, {"peft": peft}, where)
    for name, part in space.items():
        for value in (part.low, part.high) if isinstance(part, Range) else part:
            with_values(start, {name: rounded(name, value)}, where)
    return space


def check_name(name: str, where: str) -> None:
    fields = [field for field in TrainingSpec.model_fields if field not in NEVER_SEARCHED]
    known = [*fields, *(OF_PEFT + field for field in PeftSpec.model_fields)]
    if name not in known:
        hint = did_you_mean(name, known)
        raise HarnessError(f"{where}: no training value is called '{name}'.{hint}")


def takes_integers(name: str) -> bool:
    """Whether a training value is a whole number."""
    inside, _, leaf = name.rpartition(".")
    spec = PeftSpec if inside else TrainingSpec
    return spec.model_fields[leaf].annotation in (int, int | None)


def rounded(name: str, value: Any) -> Any:
    return int(value) if isinstance(value, float) and takes_integers(name) and value.is_integer() else value


def with_values(training: TrainingSpec, values: Mapping[str, Any], where: str) -> TrainingSpec:
    """A training with other values. Raises HarnessError for one that it cannot have."""
    content = training.model_dump(mode="json", exclude_defaults=True)
    if "peft" in values:
        given = values["peft"]
        content["peft"] = given if given is None else PeftSpec.model_validate(given).model_dump(mode="json")
    for name, value in values.items():
        if name.startswith(OF_PEFT):
            if content.get("peft") is None:
                raise HarnessError(
                    f"{where}: the model trains no adapter; add --peft lora, or peft: [lora] to the space"
                )
            content["peft"] = {**content["peft"], name.removeprefix(OF_PEFT): value}
        elif name != "peft":
            content[name] = value
    return parse(TrainingSpec, content, where)
