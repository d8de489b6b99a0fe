"""Accepted baselines: results in one compact JSON file for git, with a checksum of itself.

Predictions and references are canonical JSON, compressed by zlib, in base64. An example's id is not kept: the hash of
all ids of a split, in order, says whether another run is of the same examples.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from harness.core.errors import DamagedFileError, HarnessError, IncompatibleError, did_you_mean
from harness.core.facts import facts_from
from harness.core.grouped import groups_of
from harness.core.hashing import hash_json
from harness.core.machine.results_place import ACCEPTED
from harness.core.reading import ReadingError, is_file, read_json
from harness.core.source_names import canonical_record
from harness.core.store import write_atomically
from harness.core.text import clipped
from harness.data.source import asked_source
from harness.gating.baseline_file import BaselineFile, pack
from harness.gating.run_results import OF_EXCHANGE, RunResults, Scored, TaskSplit

SCHEMA_VERSION = 2
READ = (1, 2)
"""Version 1 knew neither which model made the predictions nor the margins of suites."""
KIND = "harness-baseline"
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")


def in_words(task_split: TaskSplit) -> bool:
    """Whether a part's references are texts."""
    return task_split.references.dtype.kind == "O"


def accept(results: RunResults, name: str, folder: Path = ACCEPTED, texts: bool = True) -> Path:
    """Write the baseline and return its file; one of this name is replaced. Without `texts`, tasks whose answers are
    texts are left out: they cannot be judged without them.

    Raises:
        HarnessError: a name that is no file name, a run with failures, or a folder that cannot be written.
    """
    if not NAME.match(name) or name == "latest":
        raise HarnessError(f"--name '{name}': use letters, digits, dots, dashes and underscores, and not 'latest'")
    if results.failures:
        (model, task, split, seed), cause = next(iter(results.failures.items()))
        raise HarnessError(
            f"run {results.name} has {len(results.failures)} scores missing, e.g. {model} on {task} {split} seed "
            f"{seed}: {cause}; a baseline must be whole, run it again"
        )
    if not texts:
        kept = {key: task_split for key, task_split in results.task_splits.items() if not in_words(task_split)}
        if not kept:
            raise HarnessError("--no-texts: every task of the run answers in texts; nothing would be left to judge by")
        scored = {key: score for key, score in results.scored.items() if key[1:3] in kept}
        results = replace(results, task_splits=kept, scored=scored)
    path = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HarnessError(f"cannot write to {folder}: {error.strerror}") from None
    content = {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "name": name,
        "accepted": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "run": results.name,
        "created": results.created,
        "suites": {suite: list(averaged) for suite, averaged in results.suites.items()},
        "margins": {suite: margins.model_dump(exclude_defaults=True) for suite, margins in results.margins.items()},
        "models": list(results.models),
        "parts": [_task_split(task_split) for task_split in results.task_splits.values()],
        "scores": [
            {"model": model, "task": task, "split": split, "seed": seed, **_scored(score)}
            for (model, task, split, seed), score in results.scored.items()
        ],
        "environment": dict(results.environment),
        "data": results.data if results.data and not asked_source(results.data).is_path else None,
    }
    checked = {**content, "sha256": hash_json(content)}
    write_atomically(path, json.dumps(checked, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return path


def _task_split(task_split: TaskSplit) -> dict[str, Any]:
    groups = groups_of(task_split.references)
    return _without_examples(task_split) | {
        "references": pack(task_split.references),
        "labels": list(task_split.labels),
        **({} if groups is None else {"groups": pack(groups)}),
    }


def _without_examples(task_split: TaskSplit) -> dict[str, Any]:
    """What a file says of a split, beside its examples."""
    values = {
        field.name: getattr(task_split, field.name)
        for field in fields(task_split)
        if field.name not in ("ids", "references", *OF_EXCHANGE)
    }
    return {"headline": list(values.pop("primary_metrics")), **values}


def _scored(score: Scored) -> dict[str, Any]:
    return _without_predictions(score) | {"predictions": pack(score.predictions)}


def find(name: str, folder: Path = ACCEPTED) -> Path:
    """The file of a baseline given by its path or by its name. Raises IncompatibleError where there is none."""
    for path in (Path(name), folder / f"{name}.json"):
        if is_file(path):
            return path
    known = [path.stem for path in folder.glob("*.json")]
    hint = did_you_mean(name, known) if known else f" There is none in {folder}."
    raise IncompatibleError(f"no baseline '{name}'.{hint} Make one with `harness baseline accept RUN --name NAME`")


def load(path: Path) -> RunResults:
    """The results in a baseline's file, checked.

    Raises:
        IncompatibleError: the file is damaged, of an unknown schema, or no baseline.
    """
    try:
        return read(path).run_results()
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise IncompatibleError(f"baseline {path} is damaged: {clipped(reason, 200)}; accept it again") from None


def read(path: Path) -> BaselineFile:
    """What a baseline's file holds, its checksum checked. Raises IncompatibleError."""
    try:
        content = read_json(path)
    except ReadingError as error:
        if error.missing or error.closed:
            raise IncompatibleError(f"cannot read baseline {path}: {error.reason}") from None
        raise IncompatibleError(
            f"baseline {path} is damaged: not a whole JSON file ({error.reason}); restore it from git"
        ) from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise IncompatibleError(f"{path} is no baseline; `harness baseline accept RUN --name NAME` writes one")
    if content.get("schema_version") not in READ:
        raise IncompatibleError(
            f"baseline {path} has schema {clipped(repr(content.get('schema_version')))}, this harness reads up to "
            f"{SCHEMA_VERSION}; accept it again, or install the harness it was written by"
        )
    claimed = content.pop("sha256", None)
    if claimed != hash_json(content):
        raise IncompatibleError(
            f"baseline {path} is damaged: its content does not fit its checksum; restore it from git"
        )
    try:
        return facts_from(BaselineFile, canonical_record(content), f"baseline {path}")
    except DamagedFileError as error:
        raise IncompatibleError(f"{error}; accept it again") from None


def listed(folder: Path = ACCEPTED) -> list[tuple[Path, BaselineFile | str]]:
    """Each baseline's file with its JSON, or with what is wrong with it."""
    baselines: list[tuple[Path, BaselineFile | str]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            baselines.append((path, read(path)))
        except IncompatibleError as error:
            baselines.append((path, str(error)))
    return baselines


def facts(results: RunResults) -> dict[str, Any]:
    """A baseline or run without its predictions, as JSON."""
    task_splits = []
    for task_split in results.task_splits.values():
        task_splits.append(_without_examples(task_split))
    scores = []
    for (model, task, split, seed), score in results.scored.items():
        scores.append({"model": model, "task": task, "split": split, "seed": seed, **_without_predictions(score)})
    return {
        "name": results.name,
        "created": results.created,
        "suites": {suite: list(averaged) for suite, averaged in results.suites.items()},
        "margins": {suite: margins.model_dump(exclude_defaults=True) for suite, margins in results.margins.items()},
        "models": list(results.models),
        "parts": task_splits,
        "scores": scores,
        "failures": [
            {"model": model, "task": task, "split": split, "seed": seed, "cause": cause}
            for (model, task, split, seed), cause in results.failures.items()
        ],
        "environment": dict(results.environment),
    }


def _without_predictions(score: Scored) -> dict[str, Any]:
    left_out = ("predictions", "answers", "variance")
    values = {field.name: getattr(score, field.name) for field in fields(score) if field.name not in left_out}
    for name in ("partial_weights", "contamination"):
        if not values[name]:
            del values[name]
    return values
