"""Runs that every executor is to end alike, and what is alike of two stores."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command_line import call_harness, starting

MANY = (
    "--suite", "glue", "--model", "majority", "--model", "tfidf", "--train-fractions", "0.5,1", "--limit", "40",
)  # fmt: skip
"""More than sixty cells."""
FEW = (
    "--task", "cola", "--task", "rte", "--model", "majority", "--model", "tfidf", "--model", "bert-tiny", "--limit", "100",
    "--epochs", "6",
)  # fmt: skip
"""A few, some of a transformer whose training can be interrupted."""
MORE = (*FEW[:-1], "12", "--seeds", "6")
"""Twelve such trainings, of which some are left, however fast the machine, when a worker or a run was killed and another
is up in its place.
"""
Cells = dict[str, dict[str, Any]]


def cells_of(root: Path) -> Cells:
    """Of each cell, by its key: the bytes of its predictions and models by their hashes, and its scores."""
    cells: Cells = {}
    for record in sorted(root.glob("cells/*/*/record.json")):
        content = json.loads(record.read_text())
        files = {name: facts["sha256"] for name, facts in content["files"].items()}
        cells[record.parent.name] = {name: content.get(name) for name in ("kind", "spec", "scores")} | {"files": files}
    return cells


def is_clean(root: Path) -> bool:
    """Nothing is left of work in progress, and no cell failed."""
    return not any(any((root / name).iterdir()) for name in ("building", "locks", "failures"))


@pytest.fixture(scope="session")
def unbroken(machine_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, ...]], Cells]:
    """What a run leaves that computes its cells one after another in one process."""
    known: dict[tuple[str, ...], Cells] = {}

    def of(command: tuple[str, ...]) -> Cells:
        if command not in known:
            folder = tmp_path_factory.mktemp("unbroken")
            call_harness(folder, machine_cache, "run", *command, "--quiet", "--threads", "1")
            known[command] = cells_of(folder / "results")
        return known[command]

    return of


@pytest.fixture
def start(machine_cache: Path, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `harness run` and return at once."""
    with starting(tmp_path, {**os.environ, "HARNESS_CACHE": str(machine_cache)}) as begin:
        yield partial(begin, "run")


def wait_until(condition: Callable[[], Any], timeout: float = 120.0) -> Any:
    """What a condition gives once it is true."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return value


def below(process: int, *words: str) -> list[psutil.Process]:
    """The processes that a process started, directly or not, whose command line has all these words."""
    try:
        children = psutil.Process(process).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    matching = []
    for child in children:
        try:
            if all(word in " ".join(child.cmdline()) for word in words):
                matching.append(child)
        except psutil.Error:
            continue
    return matching
