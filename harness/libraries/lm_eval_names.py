"""The tasks and groups of lm-evaluation-harness by name: their configurations, without their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError, unknown
from harness.core.libraries import Listed
from harness.core.plugins import reason_of
from harness.libraries.lm_eval_index import Named, known_names

NAME = "lm_eval"
WITHIN = "/"
"""Stands between a group and a task that is another one in it."""
KINDS = {"task": "TASK", "unsafe": "TASK", "python": "PY_TASK", "group": "GROUP", "tag": "TAG"}
"""The package's words."""


@dataclass(frozen=True)
class Member:
    """A task of a group, as the group has it, which may change what the task says; `name` is how it is asked for."""

    name: str
    config: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True)
class Members:
    """The tasks of a group or tag; the metric that the group averages, None where it names none, and whether it weighs
    tasks by their examples.
    """

    tasks: tuple[Member, ...]
    metric: str | None = None
    by_examples: bool = False


def listed(include: Sequence[str]) -> list[Listed]:
    """For `harness list tasks --source lm_eval`."""
    return [
        Listed(name, named.kind if named.kind in ("group", "tag") else "task", named.asks, named.members)  # type: ignore[arg-type]
        for name, named in sorted(known_names(include).items())
    ]


def config_of(name: str, include: Sequence[str]) -> dict[str, Any]:
    """What a task says, its functions resolved; of `GROUP/TASK` as the group has it.

    Raises:
        HarnessError: no task has that name, it is a group, or it is one that is not run here.
    """
    names = known_names(include)
    group = name.partition(WITHIN)[0]
    if group != name and name not in names and group in names:
        for member in _members(group, names).tasks:
            if member.name == name:
                return dict(member.config)
    if name not in names:
        raise unknown("task", f"{NAME}:{name}", [f"{NAME}:{known}" for known in names])
    _refuse(names[name].kind, f"{NAME}:{name}")
    return dict(_stubs(_build(name, names))[0].config)


def group_of(name: str, include: Sequence[str]) -> Members | None:
    """The tasks of a group or tag; None where the name is of something else."""
    names = known_names(include)
    return _members(name, names) if name in names and names[name].kind in ("group", "tag") else None


def _refuse(kind: str, name: str) -> None:
    if kind in ("group", "tag"):
        raise HarnessError(f"{name} is a {kind} of tasks; a single task is asked for here")
    if kind == "python":
        raise HarnessError(f"task {name}: it is a program and no configuration of lm_eval, and is not run here")
    if kind == "unsafe":
        raise HarnessError(f"task {name}: it runs the code that a model writes, which is not done here")


_KNOWN: dict[str, tuple[Mapping[str, Named], Members]] = {}


def _members(name: str, names: Mapping[str, Named]) -> Members:
    """Read once, as long as the names are the same."""
    known = _KNOWN.get(name)
    if known is None or known[0] is not names:
        known = _KNOWN[name] = names, _read_members(name, names)
    return known[1]


def _read_members(name: str, names: Mapping[str, Named]) -> Members:
    built = _build(name, names)
    averaged = next(iter(getattr(built, "aggregate_metric_list", None) or ()), None)
    metric = averaged.metric if averaged is not None and isinstance(averaged.metric, str) else None
    members = tuple(
        Member(
            stub.task_name
            if _is_same(stub.task_name, stub.config, names) and not _is_inner(stub.config, metric)
            else f"{name}{WITHIN}{stub.task_name}",
            stub.config,
        )
        for stub in {stub.task_name: stub for stub in _stubs(built)}.values()
    )
    return Members(members, metric, averaged is not None and bool(averaged.weight_by_size))


def _is_inner(config: Mapping[str, Any], metric: str | None) -> bool:
    """Whether a group averages another metric of a task than its first."""
    names = [entry.get("metric") for entry in config.get("metric_list") or ()]
    return metric in names[1:] and metric != names[0]


def _is_same(task: str, config: Mapping[str, Any], names: Mapping[str, Named]) -> bool:
    """Whether a task says in a group what it says outside of any."""
    if task not in names or names[task].kind in ("group", "tag"):
        return False
    return _comparable(_stubs(_build(task, names))[0].config) == _comparable(config)


def _comparable(config: Mapping[str, Any]) -> dict[str, str]:
    left_out = ("metadata", "tag", "group", "task_alias")
    return {key: repr(value) for key, value in config.items() if key not in left_out}


class _Stub:
    """Stands for a task, or for one in a group: what it says."""

    def __init__(self, config: dict[str, Any]) -> None:
        self.config = config
        self.task_name = str(config["task"])


def _stubs(built: Any) -> list[_Stub]:
    """Those of a task, of a tag, or of a group and the groups in it."""
    return [built] if isinstance(built, _Stub) else [stub for item in built for stub in _stubs(item)]


def _build(name: str, names: Mapping[str, Named]) -> Any:
    """A stub, a list of them, or a `Group` that holds them. Raises HarnessError where the package cannot."""
    try:
        registry = _registry(names)
        return _factory().build(registry[name], registry=registry)
    except Exception as error:
        raise HarnessError(f"task {NAME}:{name}: its definition cannot be read: {reason_of(error)}") from None


@lru_cache(maxsize=1)
def _factory() -> Any:
    from lm_eval.tasks._factory import TaskFactory

    class Configurations(TaskFactory):
        """Makes stubs where the package would make tasks, which read their data at once."""

        def _build_task(self, entry: Any, overrides: Any) -> Any:
            return _Stub(self._load_full_config(entry, overrides))

        def _build_group_members(self, member_list: Any, group_name: Any, overrides: Any, registry: Any) -> Any:
            """A task that a group defines by itself is made here, in its place."""
            made: list[Any] = []
            for item in member_list:
                if isinstance(item, dict) and "group" not in item and item.get("task") not in registry:
                    made.append(_Stub({**(overrides or {}), **item, "task": f"{group_name}::{item['task']}"}))
                else:
                    made += super()._build_group_members([item], group_name, overrides, registry)
            return made

    return Configurations()


_REGISTRIES: dict[int, tuple[Mapping[str, Named], dict[str, Any]]] = {}


def _registry(names: Mapping[str, Named]) -> dict[str, Any]:
    """The names as the package's factory takes them, made once."""
    from lm_eval.tasks._index import Entry, Kind

    known = _REGISTRIES.get(id(names))
    if known is None or known[0] is not names:
        registry = {
            name: Entry(
                name, Kind[KINDS[named.kind]], Path(named.file) if named.file else None, None, set(named.members)
            )
            for name, named in names.items()
        }
        known = _REGISTRIES[id(names)] = names, registry
    return known[1]
