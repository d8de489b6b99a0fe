"""Data classes that refuse what they do not know, and one line that says what was wrong with what they were given."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.errors import HarnessError, did_you_mean
from harness.core.strict_yaml import load_mapping


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())


def setting(
    default: Any = None,
    description: str = "",
    *,
    panel: str,
    metavar: str | None = None,
    shown: str | None = None,
    comma: bool = False,
    flag: str | None = None,
    **constraints: Any,
) -> Any:
    """A field that is an option of the command line as well, by its description.

    Args:
        default: The default; of a list that of `list`.
        description: The help of the option, and the field's documentation.
        panel: The group of options that `--help` shows it in.
        metavar: What stands for the value in the help.
        shown: The default in words, where the value says too little.
        comma: Several values are written in one, `a,b`.
        flag: The option's name, where it is not the field's.
        **constraints: `ge`, `le`, `gt`, `lt`, as pydantic's `Field` takes them.

    Returns:
        The field.
    """
    extra: Any = {"panel": panel, "metavar": metavar, "shown": shown, "comma": comma, "flag": flag}
    extra = {key: value for key, value in extra.items() if value}
    if default is list:
        return Field(default_factory=list, description=description, json_schema_extra=extra, **constraints)
    return Field(default=default, description=description, json_schema_extra=extra, **constraints)


def listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


SpecT = TypeVar("SpecT", bound=Strict)


def parse(kind: type[SpecT], values: dict[str, Any], where: str) -> SpecT:
    """Validate `values`, turning pydantic's report into one line that names the place and the key.

    Raises:
        HarnessError: an unknown or missing key, or a value of the wrong type or outside its range.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(str(first["loc"][-1]), kind.model_fields) if len(first["loc"]) == 1 else ""
            raise HarnessError(f"{where}: unknown key '{key}'.{hint}") from None
        if first["type"] == "missing":
            raise HarnessError(f"{where}: key '{key}' is missing") from None
        message = first["msg"].removeprefix("Value error, ")
        given = "" if isinstance(first["input"], dict) else f", found {first['input']!r}"
        place = f"{key}: " if key else ""
        raise HarnessError(f"{where}: {place}{message[0].lower()}{message[1:]}{given}") from None


def load_spec(kind: type[SpecT], path: Path) -> SpecT:
    """Read one spec file. Raises HarnessError as `parse` and `load_mapping` do."""
    return parse(kind, load_mapping(path), str(path))
