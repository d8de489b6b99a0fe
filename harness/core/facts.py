"""What all records have in common, and how one is made of the JSON it is kept as."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

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
    alike: ClassVar[bool] = False
    """Whether many of this kind are equal. Those that are equal are then one object."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        """CPython keeps the names of attributes once for all objects of a class, if it saw them in the first of it."""
        first = cls.__new__(cls)
        for name in cls.model_fields:
            object.__setattr__(first, name, None)

    def as_json(self) -> dict[str, Any]:
        """What it was made of."""
        return self.model_dump(mode="json", exclude_unset=True)


def shared(facts: Facts) -> Any:
    """A field whose default is one object for all, as pydantic's own would be copied for each."""
    lean = _lean(facts)
    return Field(default_factory=lambda: lean)


FactsT = TypeVar("FactsT", bound=Facts)


def facts_from(kind: type[FactsT], content: Mapping[str, Any], where: object) -> FactsT:
    """Facts of a kind, checked. Nobody may change what is in them: parts of them may be one object.

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
    return _lean(facts)


SHORT = 48
"""Texts of so many letters are kept once where they are equal; hashes, which are longer, are each their own."""
_GIVEN: dict[frozenset[str], set[str]] = {}
_ALIKE: WeakValueDictionary[tuple[type[Facts], int, str], Facts] = WeakValueDictionary()
_NO_EXTRA: dict[str, Any] = {}
_EMPTY: dict[type, Any] = {dict: {}, list: []}
_AS_THEY_ARE = frozenset({float, int, bool, type(None)})
_put = object.__setattr__


def _lean(facts: FactsT) -> FactsT:
    """The same facts in a third of the memory, for thousands of them are held: their attributes are values alone
    without a dictionary of their own, and what is equal is one object: names of given fields, short texts, what is
    empty, facts of a kind that is `alike`.
    """
    names = frozenset(facts.__pydantic_fields_set__)
    given = _GIVEN.get(names)
    if given is None:
        given = _GIVEN[names] = set(names)
    if given is facts.__pydantic_fields_set__:
        return facts  # is lean
    kind, extra = type(facts), facts.__pydantic_extra__
    values = {
        name: value if type(value) in _AS_THEY_ARE else _lean_value(value) for name, value in facts.__dict__.items()
    }
    if not kind.alike:
        return _made(kind, values, given, extra)
    key = kind, id(given), repr((values, extra))
    known = _ALIKE.get(key)
    if known is None:
        known = _ALIKE[key] = _made(kind, values, given, extra)
    return known  # type: ignore[return-value]  # of the type in its key


def _made(kind: type[FactsT], values: Mapping[str, Any], given: set[str], extra: dict[str, Any] | None) -> FactsT:
    """Facts with these values, each set as an attribute, which leaves them without a dictionary."""
    made = kind.__new__(kind)
    for name, value in values.items():
        _put(made, name, value)
    _put(made, "__pydantic_fields_set__", given)
    _put(made, "__pydantic_extra__", extra or _NO_EXTRA)
    _put(made, "__pydantic_private__", None)
    return made


def _lean_value(value: Any) -> Any:
    if type(value) is str:
        return sys.intern(value) if len(value) <= SHORT else value
    if isinstance(value, Facts):
        return _lean(value)
    kind = type(value)
    if not value and kind in _EMPTY:
        return _EMPTY[kind]
    if kind is dict and isinstance(next(iter(value.values())), Facts):
        return {name: _lean_value(part) for name, part in value.items()}
    if kind is list and isinstance(value[0], Facts):
        return [_lean_value(part) for part in value]
    return value


def with_part(facts: FactsT, name: str, part: Facts) -> FactsT:
    """The facts with another part in place of one that was given."""
    if name not in facts.model_fields_set:
        return facts.model_copy(update={name: part})
    values = {field: getattr(facts, field) for field in type(facts).model_fields}
    return _made(type(facts), values | {name: part}, facts.__pydantic_fields_set__, facts.__pydantic_extra__)


def first_problem(error: ValidationError) -> str:
    """The first thing that is wrong, in a line: `scores.accuracy.value: input should be a valid number`."""
    first = error.errors(include_url=False, include_input=False)[0]
    message = first["msg"].removeprefix("Value error, ")
    place = clipped(".".join(str(part) for part in first["loc"]))
    return f"{place}: {message[0].lower()}{message[1:]}" if place else message


Seed = Annotated[int, BeforeValidator(lambda seed: 0 if seed is None else seed)]
"""None of cells that draw nothing."""


@cache
def _bounds(low: float | None, high: float | None) -> list[float | None]:
    return [low, high]


Bounds = Annotated[
    list[float | None], Field(min_length=2, max_length=2), AfterValidator(lambda bounds: _bounds(*bounds))
]
"""The lowest and the highest value of a scale; one list for all that are equal."""


class Interval(Facts):
    alike = True

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

    alike = True

    threads: int = 0
    isa: list[str] = Field(default_factory=list)
    gpus: list[str] = Field(default_factory=list)


class PrecisionFacts(Facts):
    """The floats a model was trained and scored in, `fp32` or `bf16`; None where nothing was trained, or it is not
    known in what. `training` is that of the last training: of the model, of a student, of what compression fine-tuned.
    """

    alike = True

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
