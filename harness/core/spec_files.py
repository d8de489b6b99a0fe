"""Files of specs: where those of this package lie, what a file holds, and which kind of spec that is."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.installation import builtin_folders
from harness.core.reading import expanded
from harness.core.source_names import canonical
from harness.core.specs import ModelSpec, SuiteSpec, TaskSpec
from harness.core.strict_spec import Strict, parse
from harness.core.strict_yaml import load_mapping
from harness.core.variants import expand_variants

SPEC_FOLDERS = ("", "tasks", "tasks/suites", "suites", "baselines")


def spec_files(folder: Path) -> list[Path]:
    if folder.name in ("tasks", "suites", "baselines"):
        return sorted(folder.glob("*.yaml"))
    return [file for name in SPEC_FOLDERS for file in sorted((folder / name).glob("*.yaml"))]


def specs_of(file: Path) -> list[tuple[str, Any]]:
    """The specs in a file, several where it has variants, each with the word for its kind."""
    if file.parent in builtin_folders():
        state = file.stat()
        return _shipped(file, state.st_mtime_ns, state.st_size)
    return [(word, _located(spec, file)) for word, spec in _parsed(file)]


@cache
def _shipped(file: Path, *state: int) -> list[tuple[str, Any]]:
    """The specs of a file of this package, read once in the life of a process."""
    return _parsed(file)


def _parsed(file: Path) -> list[tuple[str, Any]]:
    values = load_mapping(file)
    word, kind = kind_of(values, file)
    return [(word, parse(kind, variant, str(file))) for variant in expand_variants(values, str(file))]


def _located(spec: Any, file: Path) -> Any:
    """A task whose data is at a path of its own with the whole of it: it begins at the task's file."""
    source = spec.reading.source if isinstance(spec, TaskSpec) else None
    if source is None or canonical(source.partition(":")[0]) in plugins.table("source").names():
        return spec
    place = str((file.parent / expanded(source)).resolve())
    return spec.model_copy(update={"reading": spec.reading.model_copy(update={"source": place})})


def kind_of(values: Mapping[str, Any], file: Path) -> tuple[str, type[Strict]]:
    """A task has a family, a model spec a learner, a suite tasks."""
    for key, word, kind in (
        ("family", "task", TaskSpec),
        ("learner", "model spec", ModelSpec),
        ("tasks", "suite", SuiteSpec),
    ):
        if key in values:
            return word, kind
    folder = {"tasks": ("family", "task"), "baselines": ("learner", "model spec"), "suites": ("tasks", "suite")}.get(
        file.parent.name
    )
    if folder:
        raise HarnessError(f"{file}: key '{folder[0]}' is missing; a {folder[1]} needs it")
    raise HarnessError(f"{file}: neither a task (key family), nor a model spec (key learner), nor a suite (key tasks)")
