"""Values of options as a command line or a file gives them, and the lists and pairs they become."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.placement import as_pairs, resource_request, split_pairs
from harness.core.reading import expanded
from harness.core.strict_spec import listed
from harness.core.strict_yaml import load_mapping


def comma_separated(value: Any) -> Any:
    """`a,b` as a list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return [part.strip() for part in value.split(",")]
    return [value] if isinstance(value, int | float) else value


def tokens_or_task(value: Any) -> int | str:
    """A number of tokens, or `task`."""
    if value == "task":
        return value
    try:
        if 1 <= int(value) <= 65536:
            return int(value)
    except (TypeError, ValueError):
        pass
    raise ValueError("a number of tokens, or task")


def label_pairs(value: Any) -> Any:
    """Pairs `a=b`, as they are given, of a mapping, or of the file that a path names."""
    if isinstance(value, Mapping):
        return [f"{name}={label}" for name, label in value.items()]
    pairs: list[Any] = []
    for pair in listed(value) if isinstance(value, str | list) else [value]:
        is_file = isinstance(pair, str) and "=" not in pair
        pairs += label_pairs(load_mapping(expanded(pair))) if is_file else [pair]
    return pairs


def named_sources(value: Any) -> Any:
    """Names, each with `=SOURCE` where it has one, as they are given or of a mapping."""
    if isinstance(value, Mapping):
        return [name if source is None else f"{name}={source}" for name, source in value.items()]
    return listed(value)


def checked_resources(pairs: list[str]) -> list[str]:
    """Raises ValueError for what is no request."""
    resource_request(pairs)
    return pairs


def option_pairs(value: Any) -> Any:
    """Pairs `a=b`, as they are given or of a mapping."""
    return as_pairs(value) if isinstance(value, Mapping) else listed(value)


def checked_options(pairs: list[str]) -> list[str]:
    """Raises ValueError for what is no pair."""
    split_pairs(pairs)
    return pairs
