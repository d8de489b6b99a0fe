"""Data classes that refuse what they do not know, and one line that says what was wrong with what they were given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from harness.core.errors import HarnessError, did_you_mean
from harness.core.reading import LARGEST
from harness.core.strict_yaml import load_mapping
from harness.core.text import clipped

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"
Name = Annotated[str, Field(pattern=NAME)]
"""A task, a suite, a model spec, or a plug-in."""


class Strict(BaseModel):
    """What a file or a command line gives. Numbers are finite, and true is none."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        protected_namespaces=(),
        allow_inf_nan=False,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
    )

    @field_validator("*", mode="before")
    @classmethod
    def _true_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, str):
            return value
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, bool) for item in items) and _is_number(cls, str(info.field_name)):
            raise ValueError("a number is expected")
        if isinstance(value, int) and not -LARGEST <= value < LARGEST:
            raise ValueError("a number of at most 64 bits is expected")
        return value


@cache
def _is_number(spec: type[BaseModel], name: str) -> bool:
    """Whether a field takes numbers and neither texts nor true."""
    annotation = spec.model_fields[name].annotation
    return _takes(annotation, (int, float)) and not _takes(annotation, (bool, str, Any))


def _takes(annotation: Any, kinds: Sequence[Any]) -> bool:
    """Whether a type is one of these, or holds one."""
    return annotation in kinds or any(_takes(inner, kinds) for inner in get_args(annotation))


def setting(
    default: Any = None,
    description: str = "",
    *,
    panel: str,
    metavar: str | None = None,
    shown: str | None = None,
    comma: bool = False,
    flag: str | None = None,
    short: str | None = None,
    off: str | None = None,
    aliases: tuple[str, ...] = (),
    **constraints: Any,
) -> Any:
    """A field that is an option of the command line as well, by its description.

    Args:
        default: The default; of a list that of `list`; `...` where it must be given.
        description: The help of the option, and the field's documentation.
        panel: The group of options that `--help` shows it in.
        metavar: What stands for the value in the help.
        shown: The default in words, where the value says too little.
        comma: Several values are written in one, `a,b`.
        flag: The option's name, where it is not the field's.
        short: The letter of `-x`.
        off: The option that says no, of a field that is true or false.
        aliases: Other names of the field, as keys and as options.
        **constraints: `ge`, `le`, `gt`, `lt`, as pydantic's `Field` takes them.

    Returns:
        The field.
    """
    extra: Any = {"panel": panel, "metavar": metavar, "shown": shown, "comma": comma, "flag": flag, "short": short}
    extra |= {"off": off, "aliases": list(aliases)}
    extra = {key: value for key, value in extra.items() if value}
    if aliases:
        constraints["validation_alias"] = AliasChoices(*aliases)
    if default is list:
        return Field(default_factory=list, description=description, json_schema_extra=extra, **constraints)
    return Field(default=default, description=description, json_schema_extra=extra, **constraints)


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def single_words(value: tuple[str, ...]) -> tuple[str, ...]:
    """Raises ValueError for a text that is not one word."""
    if bad := [word for word in value if len(word.split()) != 1]:
        raise ValueError(f"{bad[0]!r} is not one word")
    return value


LONGEST_TIME = 366 * 24 * 3600.0


def seconds_of(time: str) -> float:
    """`90s`, `5m`, `2h`, or a number of seconds. Raises ValueError."""
    match = re.fullmatch(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)([smh]?)", time.strip())
    seconds = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not 0 < seconds <= LONGEST_TIME:
        raise ValueError("give a time of at most a year, e.g. 90s, 5m or 2h")
    return seconds


def _checked_time(time: str) -> str:
    seconds_of(time)
    return time


Time = Annotated[str, AfterValidator(_checked_time)]
"""A time as `seconds_of` reads it, kept as it is written."""
SpecT = TypeVar("SpecT", bound=BaseModel)


def parse(kind: type[SpecT], values: dict[str, Any], where: str) -> SpecT:
    """Validate `values`, turning pydantic's report into one line that names the place and the key.

    Raises:
        HarnessError: an unknown or missing key, or a value of the wrong type or outside its range.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = clipped(".".join(str(part) for part in first["loc"]))
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(str(first["loc"][-1]), _keys_at(kind, first["loc"][:-1]))
            raise HarnessError(f"{where}: unknown key '{key}'.{hint}") from None
        if first["type"] == "missing":
            raise HarnessError(f"{where}: key '{key}' is missing") from None
        message = first["msg"].removeprefix("Value error, ")
        given = "" if isinstance(first["input"], dict) else f", found {clipped(repr(first['input']))}"
        place = f"{key}: " if key else ""
        raise HarnessError(f"{where}: {place}{message[0].lower()}{message[1:]}{given}") from None


def _keys_at(kind: Any, place: Sequence[int | str]) -> list[str]:
    """The keys of the data class that stands at a place inside another; none where that is no data class."""
    for part in place:
        field = kind.model_fields.get(part) if isinstance(part, str) else None
        kind = next((inner for inner in _classes(field.annotation)), None) if field else None
        if kind is None:
            return []
    return list(kind.model_fields)


def _classes(annotation: Any) -> Iterator[type[BaseModel]]:
    """The data classes in a type such as `Part | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _classes(inner)


def load_spec(kind: type[SpecT], path: Path) -> SpecT:
    """Read one spec file. Raises HarnessError as `parse` and `load_mapping` do."""
    return parse(kind, load_mapping(path), str(path))
