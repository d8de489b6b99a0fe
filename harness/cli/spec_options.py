"""Options made of the fields of a spec: names, types, choices, defaults, help and panels are said once, in the spec."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Union, get_args, get_origin, get_type_hints

import typer
from pydantic.fields import FieldInfo

from harness.core.strict_spec import Strict

GIVEN = "given"
"""The parameter by which a verb gets what was given of a spec's fields."""
Completion = Callable[[str], Sequence[str]]


def spec_options(
    spec: type[Strict],
    fields: Sequence[str] | None = None,
    *,
    completions: Mapping[str, Completion] | None = None,
    hidden_defaults: bool = False,
    into: str = GIVEN,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a verb an option for each field of a spec.

    Args:
        spec: The spec. A field's description is its help; `setting` says its panel, metavar and shown default.
        fields: The fields that become options, all where left out.
        completions: What the shell proposes, by field.
        hidden_defaults: Show no defaults: what is not given has its value from elsewhere.
        into: The parameter of the verb that gets what was given; a verb of several specs has one for each.

    Returns:
        A decorator of the verb, whose parameter `into` is the mapping of the fields that were given.
    """
    names = list(fields or spec.model_fields)

    def decorate(verb: Callable[..., None]) -> Callable[..., None]:
        hints = get_type_hints(verb, include_extras=True)
        declared = [
            parameter.replace(annotation=hints[parameter.name])
            for parameter in inspect.signature(verb).parameters.values()
            if parameter.name != into
        ]
        made = [
            _parameter(name, spec.model_fields[name], (completions or {}).get(name), hidden_defaults) for name in names
        ]

        def with_options(**values: Any) -> None:
            given = {name: value for name in names if (value := values.pop(name)) is not None}
            verb(**{into: given}, **values)

        with_options.__name__, with_options.__doc__, with_options.__module__ = (
            verb.__name__,
            verb.__doc__,
            verb.__module__,
        )
        with_options.specs = [(spec, tuple(names)), *getattr(verb, "specs", ())]  # type: ignore[attr-defined]
        arguments = [parameter for parameter in declared if _is_argument(parameter)]
        parameters = [*arguments, *made, *(parameter for parameter in declared if parameter not in arguments)]
        parameters = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
        with_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return with_options

    return decorate


def _is_argument(parameter: inspect.Parameter) -> bool:
    return any(type(annotation).__name__ == "ArgumentInfo" for annotation in get_args(parameter.annotation)[1:])


def _parameter(name: str, field: FieldInfo, completion: Completion | None, hidden_default: bool) -> inspect.Parameter:
    extra: Mapping[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    flag = "--" + str(extra.get("flag") or name).replace("_", "-")
    kind = _kind(field.annotation, bool(extra.get("comma")))
    choices = choices_of(field.annotation)
    off = extra.get("off") or (f"no-{flag[2:]}" if kind is bool and field.default is True else None)
    declared = [f"{flag}/--{off}" if off else flag]
    declared += [f"-{extra['short']}"] if extra.get("short") else []
    declared += ["--" + str(alias).replace("_", "-") for alias in extra.get("aliases", ())]
    option = typer.Option(
        *declared,
        help=_help(field, kind),
        metavar=extra.get("metavar") or "|".join(choices) or None,
        rich_help_panel=extra.get("panel"),
        show_default=False if hidden_default else _shown(field, extra),
        autocompletion=completion or (_completed(choices) if choices else None),
    )
    if field.is_required():
        return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=Annotated[kind, option])
    annotation = Annotated[Optional[kind], option]  # type: ignore[valid-type]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The values a field may have, where its type names them."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return next((choices for inner in get_args(annotation) if (choices := choices_of(inner))), ())


def _completed(choices: Sequence[str]) -> Completion:
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def _kind(annotation: Any, comma: bool) -> Any:
    """What a command line reads: the type inside `Optional` and `Annotated`, of lists their items'."""
    if comma:
        return str
    if get_origin(annotation) is Annotated:
        return _kind(get_args(annotation)[0], comma)
    if get_origin(annotation) in (Union, types.UnionType):
        (inner,) = [member for member in get_args(annotation) if member is not type(None)]
        return _kind(inner, comma)
    if get_origin(annotation) is list:
        return list[_kind(get_args(annotation)[0], comma)]  # type: ignore[misc]
    if get_origin(annotation) is Literal:
        return str  # the spec refuses others, as it does in a file
    if isinstance(annotation, type) and issubclass(annotation, Strict):
        return str  # a spec that can be said in a line
    if annotation in (bool, int, float, str, Path) or get_origin(annotation) is tuple:
        return annotation
    raise TypeError(f"no option can be made of {annotation}")


def _help(field: FieldInfo, kind: Any) -> str:
    repeatable = " Repeatable." if get_origin(kind) is list else ""
    return f"{field.description}{repeatable}"


def _shown(field: FieldInfo, extra: Mapping[str, Any]) -> bool | str:
    """The default as the help shows it: what a spec says of it, else the value itself."""
    if extra.get("shown"):
        return str(extra["shown"])
    if field.is_required():
        return False
    default = field.get_default(call_default_factory=True)
    return False if default is None or isinstance(default, bool) or default == [] else str(default)
