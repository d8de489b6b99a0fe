"""Which file of lm-evaluation-harness defines which task, group or tag.

The package's own index reads some 14,000 YAML files in whole, half a minute where they are cold; only their top-level
keys are looked at here, and what they include. It is kept in the user's cache folder, under the package's version.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from harness.core.atomic import write_atomically
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json, short, states_of
from harness.core.machine.environment import cache_folder
from harness.core.reading import read_object

PACKAGE = "lm_eval"
IGNORED = frozenset({"__pycache__", ".ipynb_checkpoints"})
KEYS = ("class", "group", "task", "tag", "output_type", "unsafe_code", "include")
TOP_LEVEL = re.compile(rf"^[\"']?({'|'.join(KEYS)})[\"']?[ \t]*:[ \t]*(.*?)[ \t]*$", re.MULTILINE)
PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*")
"""A value that YAML reads as the text it is, but for the words below."""
QUOTED = re.compile(r"\"([^\"\\\\]*)\"|'([^']*)'")
WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


@dataclass(frozen=True)
class Named:
    """What stands under a name: a task (`python`: one written in Python, `unsafe`: one that runs what a model writes),
    a group or a tag; its file, the members of a tag, and what a task asks of a model.
    """

    kind: str
    file: str | None
    members: tuple[str, ...] = ()
    asks: str = ""


def require() -> None:
    """Raises HarnessError, with the extra to install, where the package is missing."""
    if importlib.util.find_spec(PACKAGE) is None:
        raise HarnessError("lm_eval is not installed; pip install 'nlp-harness[lm-eval]'")


def tasks_folder() -> Path | None:
    """Where the package's own tasks lie; None where it is not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "tasks"


def known_names(include: Sequence[str] = ()) -> Mapping[str, Named]:
    """All names; those of included folders come before the package's own. Raises HarnessError without the package."""
    require()
    return _own_names() if not include else _all_names(tuple(include), _states(include))


@lru_cache(maxsize=8)
def _all_names(include: tuple[str, ...], states: str) -> Mapping[str, Named]:
    """`states` tells files that changed within the life of a process from what they were."""
    names = dict(_own_names())
    for folder in include:
        names |= index(Path(folder))
    return names


def _states(include: Sequence[str]) -> str:
    return hash_json(states_of([file for folder in include for file in sorted(Path(folder).rglob("*.yaml"))]))


def _own_names() -> Mapping[str, Named]:
    root = tasks_folder()
    assert root is not None
    return _kept(root, version(PACKAGE), root.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _kept(root: Path, package: str, changed: int) -> Mapping[str, Named]:
    path = cache_folder() / f"lm_eval-tasks-{package}-{short(hash_json([str(root), changed]))}.json"
    with suppress(HarnessError, OSError, TypeError, ValueError, AttributeError):
        return {
            name: Named(str(kind), file and str(root / file), tuple(members), str(asks))
            for name, (kind, file, members, asks) in read_object(path)["names"].items()
        }
    names = index(root)
    rows = {
        name: [named.kind, named.file and str(Path(named.file).relative_to(root)), named.members, named.asks]
        for name, named in names.items()
    }
    with suppress(OSError, HarnessError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps({"names": rows}))
    return names


def index(folder: Path) -> dict[str, Named]:
    """The names of a folder, as the package finds them: of a name that is there twice the first file; files that are
    no tasks are left out.
    """
    named: dict[str, Named] = {}
    tags: dict[str, list[str]] = {}
    included: dict[Path, Mapping[str, Any]] = {}
    files = (file for file in folder.glob("**/*.yaml") if IGNORED.isdisjoint(file.parts))
    for file in sorted(files, key=lambda file: file.as_posix()):
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError, yaml.YAMLError):
            values = _keys_of(file, included)
            name = values["group"] if "group" in values and "class" not in values else values["task"]
            if name in named or (name in tags and "group" in values):
                continue
            named[name] = _named(values, file)
            if named[name].kind != "group":
                for tag in _listed(values.get("tag")):
                    tags.setdefault(tag, []).append(name)
    of_tags = {tag: Named("tag", None, tuple(sorted(names))) for tag, names in tags.items() if tag not in named}
    return named | of_tags


def _named(values: Mapping[str, Any], file: Path) -> Named:
    asks = str(values.get("output_type") or "")
    if "class" in values:
        return Named("python", str(file), asks=asks)
    if "group" in values:
        return Named("group", str(file))
    return Named("unsafe" if values.get("unsafe_code") else "task", str(file), asks=asks)


def _keys_of(file: Path, included: dict[Path, Mapping[str, Any]]) -> dict[str, Any]:
    """The top-level keys that say what a file is; its own go before those it includes."""
    keys: dict[str, Any] = {}
    for key, text in TOP_LEVEL.findall(file.read_text(encoding="utf-8")):
        if PLAIN.fullmatch(text) and text.lower() not in WORDS:
            keys[key] = text
        elif quoted := QUOTED.fullmatch(text):
            keys[key] = quoted[1] or quoted[2] or ""
        elif not text or text.startswith(("|", ">", "&", "*", "#")) or (text[0] == "[" and text[-1] != "]"):
            return _whole(file)
        else:
            keys[key] = yaml.load(text.replace("!function", ""), Loader=yaml.CSafeLoader)
    if "include" not in keys:
        return keys
    merged: dict[str, Any] = {}
    for name in _listed(keys.pop("include")):
        path = Path(os.path.normpath(file.parent / name))
        if path not in included:
            included[path] = _whole(path)
        merged |= included[path]
    return merged | keys


def _whole(file: Path) -> dict[str, Any]:
    """As the package reads a file, its functions left as texts."""
    from lm_eval.tasks._yaml_loader import load_yaml

    values = load_yaml(file, resolve_func=False, recursive=True)
    return {key: value for key, value in values.items() if key in KEYS}


def _listed(value: Any) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else list(value)
