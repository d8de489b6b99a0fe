"""The runs of a store: what each asked for, in the order in which they began.

ROOT/runs/NAME.json   a run's manifest: written when it begins, and again when it ends
ROOT/runs/order       the number and the name of each run; made anew from the manifests where a line is missing
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.checked import SCHEMA_VERSION, read_checked, write_checked
from harness.core.errors import DamagedFileError, DamagedRunError, HarnessError, StoredFileError, did_you_mean
from harness.core.facts import facts_from
from harness.core.hashing import hash_json, short
from harness.core.locks import holding, is_held, lock_file
from harness.core.run_records import RunCell, RunManifest
from harness.core.source_names import canonical_record

RUNNING, INTERRUPTED = "running", "interrupted"
PRETRAINING = "pretrain-"
"""How the names of runs of `harness pretrain` begin. `latest` is the last run of another kind, where there is one."""


class Manifests:
    """`state_of` says of a cell that a run has not told of whether it is done, or has failed; None where neither."""

    def __init__(self, root: Path, state_of: Callable[[str], tuple[str, str] | None]) -> None:
        self._root = root
        self._folder = root / "runs"
        self._state_of = state_of

    def write_run(self, name: str, manifest: dict[str, Any]) -> None:
        """Write a run's manifest, whole or not at all; a new run has the next number."""
        numbers = self._lines()
        if name not in numbers:
            order = self._folder / "order"
            try:
                with self._alone():
                    numbers[name] = 1 + max(self._numbers(self._paths()).values(), default=0)
                    line = f"{numbers[name]} {name}"
                    with order.open("a", encoding="utf-8") as file:
                        file.write(f"\n{line} {_seal(line)}")
            except OSError as error:
                raise HarnessError(f"cannot write {order}: {error.strerror}") from None
        content = {"schema_version": SCHEMA_VERSION, "run": name, "number": numbers[name], **manifest}
        write_checked(self._folder / f"{name}.json", content)

    @contextlib.contextmanager
    def running(self, name: str) -> Iterator[None]:
        """While a run works, so that others can tell that it does."""
        lock = self._lock(name)
        with lock_file(lock):
            yield
        lock.unlink(missing_ok=True)

    def has_run(self, name: str) -> bool:
        return (self._folder / f"{name}.json").exists() or self._lock(name).exists()

    def run_names(self) -> list[str]:
        """Names of the runs, in the order in which they began, whatever the clock said."""
        paths = self._paths()
        numbers = self._numbers(paths)

        def order(name: str) -> tuple[int, str, int]:
            stamp = re.match(r"\d{8}-\d{6}", name.removeprefix(PRETRAINING))
            return numbers.get(name, 0), stamp.group() if stamp else "", paths[name].stat().st_mtime_ns

        return sorted(paths, key=order)

    def run(self, name: str) -> RunManifest:
        """A run's manifest, by its name, a unique beginning or part of it, or `latest`.

        Raises:
            HarnessError: no such run, or several.
            DamagedFileError: the manifest is not what was written.
        """
        names = self.run_names()
        if not names:
            raise HarnessError(
                f"no runs in {self._root}; make one with `harness run --suite glue`, or name the folder with --results"
            )
        if name == "latest":
            name = next((known for known in reversed(names) if not known.startswith(PRETRAINING)), names[-1])
        matching = [name] if name in names else [known for known in names if name in known]
        if not matching:
            raise HarnessError(f"no run '{name}' in {self._root}.{did_you_mean(name, names)}")
        if len(matching) > 1:
            raise HarnessError(
                f"'{name}' fits {len(matching)} runs in {self._root}: {', '.join(matching[:5])}; write more of the name"
            )
        return self._read(matching[0])

    def includes(self) -> list[str]:
        """The paths that runs were given by `--include`, and the files of model specs given by `--model`, each once; of
        what cannot be read nothing.
        """
        paths: dict[str, None] = {}
        for name in self.run_names():
            with contextlib.suppress(HarnessError):
                spec = self._read(name).spec
                models = [model.rpartition("=")[2] for model in _texts(spec.get("model"))]
                files = [model for model in models if model.endswith((".yaml", ".yml"))]
                paths |= dict.fromkeys([*_texts(spec.get("include")), *files])
        return list(paths)

    def runs(self, names: Sequence[str], damaged: Callable[[StoredFileError], None]) -> list[RunManifest]:
        """The manifests of these runs, or of all where none is named, oldest first. Of all, `damaged` is told of each
        that is damaged or cannot be read, which is left out. Raises as `run` does, and where none can be read.
        """
        known = self.run_names()
        if names or not known:
            return [self.run(name) for name in names or ["latest"]]
        manifests: list[RunManifest] = []
        for name in known:
            try:
                manifests.append(self._read(name))
            except StoredFileError as error:
                if name == known[-1] and not manifests:
                    raise
                damaged(error)
        return manifests

    def _read(self, name: str) -> RunManifest:
        path = self._folder / f"{name}.json"
        try:
            manifest = facts_from(RunManifest, canonical_record(read_checked(path)), path)
        except DamagedFileError as error:
            raise DamagedRunError(f"{error}; `harness verify --repair` quarantines it") from None
        if manifest.status != RUNNING:
            return manifest
        status = RUNNING if is_held(self._lock(name)) else INTERRUPTED
        return manifest.model_copy(update={"status": status, "cells": [self._known(cell) for cell in manifest.cells]})

    def _known(self, cell: RunCell) -> RunCell:
        state = self._state_of(cell.cell) if cell.status == "missing" else None
        if state is None:
            return cell
        return cell.model_copy(update={"status": state[0], **({"cause": state[1]} if state[1] else {})})

    def _lock(self, name: str) -> Path:
        return self._root / "locks" / f"run-{name}.lock"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with holding(self._root / "locks" / "runs.lock"):
            yield

    def _paths(self) -> dict[str, Path]:
        return {path.stem: path for path in self._folder.glob("*.json") if not path.name.startswith(".")}

    def _numbers(self, paths: Mapping[str, Path]) -> dict[str, int]:
        """By name, from the manifest of a run that has no line; 0 for one of the time before runs were numbered."""
        numbers = self._lines()
        for name in paths.keys() - numbers.keys():
            with contextlib.suppress(HarnessError):
                numbers[name] = facts_from(RunManifest, read_checked(paths[name]), paths[name]).number
        return numbers

    def _lines(self) -> dict[str, int]:
        """By name, from the lines of the order that are whole."""
        numbers: dict[str, int] = {}
        try:
            lines = (self._folder / "order").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            return numbers
        for line in lines:
            text, _, seal = line.rpartition(" ")
            number, _, name = text.partition(" ")
            if seal == _seal(text) and number.isdecimal():
                numbers[name] = int(number)
        return numbers


def _texts(values: Any) -> list[str]:
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def _seal(line: str) -> str:
    return short(hash_json(line))
