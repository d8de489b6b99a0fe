"""Recipe files of compression: a method and its options, found by a sensitivity analysis or written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from harness.compression.methods import Method, make_step
from harness.core.errors import HarnessError
from harness.core.strict_spec import Strict, load_spec


class CompressionRecipe(Strict):
    """A method by name and its options. `origin` (`found` in the file) says how they were chosen."""

    method: str
    options: dict[str, Any] = Field(default_factory=dict)
    origin: dict[str, Any] = Field(default_factory=dict, alias="found")


def read_recipe(path: Path) -> CompressionRecipe:
    """Raises HarnessError for a file that is not there, not YAML, or has other keys."""
    return load_spec(CompressionRecipe, path)


def method_of_recipe(path: Path, name: str | None, settings: dict[str, str]) -> Method:
    """The recipe's method, with `settings` in place of its own options.

    Raises:
        HarnessError: the file is no recipe, or is for another method than `name`, or has options that cannot be.
    """
    recipe = read_recipe(path)
    if name is not None and name != recipe.method:
        raise HarnessError(f"--recipe {path}: it is for {recipe.method}, not {name}")
    step = make_step(recipe.method, {**recipe.options, **settings}, str(path))
    return Method(labelled(recipe.method, {**recipe.options, **settings}), (step,))


def labelled(name: str, options: dict[str, Any]) -> str:
    """A method as it is written on a command line, `int8:per_channel=true,skip=layer.0.ffn,layer.1.ffn`."""

    def shown(value: Any) -> str:
        if isinstance(value, list | tuple):
            return ",".join(map(str, value))
        return str(value).lower() if isinstance(value, bool) else str(value)

    given = ",".join(f"{key}={shown(value)}" for key, value in options.items())
    return f"{name}:{given}" if given else name


def to_yaml(recipe: CompressionRecipe) -> str:
    return yaml.safe_dump(recipe.model_dump(mode="json", by_alias=True), sort_keys=False, allow_unicode=True)
