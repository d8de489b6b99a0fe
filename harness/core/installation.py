"""What follows from the files of this installation alone, kept between processes for as long as none of them changes:
looking at a thousand files takes milliseconds, reading and checking them a second.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.cache_folder import cache_folder
from harness.core.checked import keep_checked, read_checked
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json, short, states_of

PACKAGE = Path(__file__).resolve().parents[1]


@cache
def builtin_folders() -> list[Path]:
    """`tasks/` and `baselines/`: inside the package in a wheel, beside it in a checkout."""
    root = PACKAGE / "builtin" if (PACKAGE / "builtin").is_dir() else PACKAGE.parent
    folders = [root / "tasks", root / "tasks" / "suites", root / "baselines"]
    missing = [folder for folder in folders if not folder.is_dir()]
    if missing:
        raise HarnessError(f"the installation is incomplete: {missing[0]} is missing; install nlp-harness again")
    return folders


class Kept:
    """Answers of one kind by their questions, in one file of the cache folder. It is empty where a file of the
    installation has changed since, and where it is missing or damaged; one that cannot be written costs time alone.

    Args:
        kind: Begins the file's name.
        package: The folder of the package that the answers are about.
        state: `state_of` it, when the questions are asked.
    """

    def __init__(self, kind: str, package: Path, state: str) -> None:
        key = hash_json([str(package), platform.python_version()])
        self._path = cache_folder() / f"{kind}-{short(key)}.json"
        self._state = state
        self._answers: dict[str, Any] = {}
        with contextlib.suppress(HarnessError):
            content = read_checked(self._path) if self._path.exists() else {}
            if content.get("state") == state and isinstance(content.get("answers"), dict):
                self._answers = content["answers"]

    def get(self, question: str) -> Any:
        """What `put` was given; None where it was given nothing."""
        return self._answers.get(question)

    def put(self, question: str, answer: Any) -> None:
        """Keep what JSON has, until a file of the installation changes."""
        self._answers[question] = answer
        keep_checked(self._path, {"state": self._state, "answers": self._answers})


@cache
def state_of(package: Path) -> str:
    """A hash that changes whenever a module of the package, a spec that comes with it, or what is installed beside it
    does. Found without opening a file, once in the life of a process or until `forget`.
    """
    files = sorted((*_below(package, ".py"), *_specs()), key=lambda file: file.path)
    states = states_of(files)
    return hash_json([platform.python_version(), [file.path for file in files], states, folders_of_distributions()])


def forget() -> None:
    """Look at the files anew."""
    state_of.cache_clear()


def state_of_specs() -> str:
    """A hash of the states of the specs that come with the package, looked at anew."""
    files = sorted(_specs(), key=lambda file: file.path)
    return hash_json([[file.path for file in files], states_of(files)])


def _specs() -> Iterator[os.DirEntry[str]]:
    for folder in builtin_folders():
        with os.scandir(folder) as entries:
            yield from (entry for entry in entries if entry.name.endswith(".yaml"))


def _below(folder: Path | str, suffix: str) -> Iterator[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(suffix):
                yield entry
            elif "." not in entry.name and entry.name != "__pycache__" and entry.is_dir():
                yield from _below(entry.path, suffix)


def folders_of_distributions() -> list[list[str | int]]:
    """Those of `sys.path` that have any, with their states: the folder a command is called in changes as it works."""
    folders: list[list[str | int]] = []
    for place in sys.path:
        with contextlib.suppress(OSError), os.scandir(place or ".") as entries:
            if any(entry.name.endswith((".dist-info", ".egg-info")) for entry in entries):
                folders.append([place, Path(place).stat().st_mtime_ns])
    return folders
