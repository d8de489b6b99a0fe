"""What all records have in common, and how one is made of the JSON it is kept as."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from harness.core.errors import DamagedFileError
from harness.core.text import clipped


class Facts(BaseModel):
    """A part of a record. What an older harness did not write has a default; what a newer one adds is kept. An alias is
    the key of a file whose word is an older one.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        strict=True,
        protected_namespaces=(),
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
        defer_build=True,
    )

    def as_json(self) -> dict[str, Any]:
        """What it was made of."""
        return self.model_dump(mode="json", exclude_unset=True)


def shared(facts: Facts) -> Any:
    """A field whose default is one object for all, as pydantic's own would be copied for each."""
    return Field(default_factory=lambda: facts)


FactsT = TypeVar("FactsT", bound=Facts)


def facts_from(kind: type[FactsT], content: Mapping[str, Any], where: object) -> FactsT:
    """Facts of a kind, checked.

    Args:
        kind: The class.
        content: The JSON.
        where: The file, for the message.

    Raises:
        DamagedFileError: a value is missing or of another type, named with its place in the file.
    """
    try:
        facts = kind.model_validate(content)
    except ValidationError as error:
        raise DamagedFileError(f"{where} is damaged: {first_problem(error)}") from None
    _pool_names(facts)
    return facts


_NAMES: dict[frozenset[str], set[str]] = {}


def _pool_names(facts: Facts) -> None:
    """One set of the names that were given for all facts in which the same were, a third of what thousands of them
    take. They are frozen, so that none changes it.
    """
    given = facts.__pydantic_fields_set__
    names = frozenset(given)
    known = _NAMES.get(names)
    if known is given:
        return
    object.__setattr__(facts, "__pydantic_fields_set__", _NAMES.setdefault(names, given))
    for value in facts.__dict__.values():
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else (value,)
        for part in parts:
            if not isinstance(part, Facts):
                break
            _pool_names(part)


def with_part(facts: FactsT, name: str, part: Facts) -> FactsT:
    """The facts with another part in place of one that was given."""
    changed = facts.model_copy(update={name: part})
    if name in facts.model_fields_set:
        object.__setattr__(changed, "__pydantic_fields_set__", facts.__pydantic_fields_set__)
    return changed


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, in a line: `scores.accuracy.value: input should be a valid number`."""
    first = error.errors(include_url=False, include_input=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    place = clipped(".".join(str(part) for part in first["loc"]))
    return f"{place}: {message[0].lower()}{message[1:]}" if place else message


Seed = Annotated[int, BeforeValidator(lambda seed: 0 if seed is None else seed)]
"""None of cells that draw nothing."""


class Interval(Facts):
    value: float
    low: float
    high: float


class FileFacts(Facts):
    """A file of a cell. An index of records knows sizes alone."""

    bytes: int
    sha256: str = ""


class Timings(Facts):
    seconds: float = 0.0
    cpu_seconds: float | None = None


class Cpu(Facts):
    model: str = ""
    isa: list[str] = Field(default_factory=list)


class Gpu(Facts):
    name: str = ""
    driver: str = ""


class Counters(Facts):
    """What the machine did meanwhile. None: unknown."""

    seconds: float = 0.0
    steal: float | None = None
    throttled: dict[str, Any] | None = None
    load: list[float | None] = Field(default_factory=list)


class Environment(Facts):
    """Where a cell was computed."""

    platform: str = ""
    cpu: Cpu = shared(Cpu())
    cores: int = 0
    threads: int = 0
    versions: dict[str, str | None] = Field(default_factory=dict)
    gpus: list[Gpu] = Field(default_factory=list)
    counters: Counters = shared(Counters())


class MachineFacts(Facts):
    """What of a machine the last digits of a score depend on; nothing where they depend on none."""

    threads: int = 0
    isa: list[str] = Field(default_factory=list)
    gpus: list[str] = Field(default_factory=list)


class PrecisionFacts(Facts):
    """The floats a model was trained and scored in, `fp32` or `bf16`; None where nothing was trained, or it is not
    known in what. `training` is that of the last training: of the model, of a student, of what compression fine-tuned.
    """

    pretraining: str | None = None
    training: str | None = None
    scoring: str | None = None


class CellRecord(Facts):
    """What every record of a cell has, whatever its kind."""

    schema_version: int = 1
    kind: str = ""
    cell: str = ""
    created: str = ""
    seed: Seed = 0
    files: dict[str, FileFacts] = Field(default_factory=dict)
    spec: dict[str, Any] = Field(default_factory=dict, repr=False)
    environment: Environment = shared(Environment())
    timings: Timings = shared(Timings())

    @property
    def task_spec(self) -> Mapping[str, Any]:
        """The task as its cell depends on it; empty where it does on none."""
        return _mapping(self.spec.get("task"))

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the task's classes."""
        return tuple(map(str, self.task_spec.get("labels") or ()))

    @property
    def training(self) -> Mapping[str, Any]:
        """The settings of the model spec that a model was fine-tuned by."""
        return _mapping(_mapping(self.spec.get("model")).get("training"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
