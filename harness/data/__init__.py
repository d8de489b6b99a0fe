"""Task data from the synthetic world, the Hugging Face hub or a path. Never a silent switch between them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from harness.core import code_identity
from harness.core.errors import HarnessError, TaskAbsent, did_you_mean
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json
from harness.core.source_names import canonical
from harness.core.specs import TaskSpec
from harness.data.assemble import Reading, assemble
from harness.data.folder import locate, possible_splits, read_folder
from harness.data.frame import Split, TaskData
from harness.data.hub import hub_reachable, read_hub, state_of_hub
from harness.data.noise import perturbed
from harness.data.synthetic_source import read_synthetic

__all__ = ["Split", "TaskData", "hub_reachable", "load", "state"]

KEYWORDS = ("synthetic", "hub")


def load(task: TaskSpec, data: str, limit: int | None = None, splits: Sequence[str] | None = None) -> TaskData:
    """A task's data from `data`: `synthetic`, `hub`, or the path of a folder or file.

    `splits` are those the caller needs, by default the training split and those evaluated (only the latter
    for a task that is trained on another one or as one without noise, or not at all). `limit` keeps the first rows of
    each.

    Raises:
        TaskAbsent: the source does not hold this task.
        HarnessError: there is no such source, or what it holds is malformed or lacks a split.
    """
    data = canonical(data)
    wanted = list(dict.fromkeys(splits if splits is not None else default_splits(task)))
    if task.noise is not None:
        return perturbed(load(task.clean, data, limit, wanted), task)
    predictions = FAMILIES.get(task.family).predictions
    inferred = task.labels is None and predictions == "labels"
    to_read = [task.train, *wanted] if inferred else wanted
    # Which rows have a label only all of them tell; texts are all there, and may be many.
    read_at_most = None if predictions in ("labels", "values") else limit
    reading = _read(task, data, list(dict.fromkeys(to_read)), read_at_most)
    return assemble(task, reading, wanted).head(limit)


def default_splits(task: TaskSpec) -> list[str]:
    only_scored = task.train_on or task.shots == 0 or (task.noise and not task.shots)
    return list(task.eval) if only_scored else [task.train, *task.eval]


def _read(task: TaskSpec, data: str, wanted: Sequence[str], limit: int | None) -> Reading:
    if data == "synthetic":
        return read_synthetic(task, wanted)
    if data == "hub":
        return read_hub(task, wanted, limit)

    return read_folder(task, existing_path(data), wanted)


def existing_path(data: str) -> Path:
    """Raises HarnessError where `data` is neither a keyword nor a path that exists."""
    path = Path(data).expanduser()
    if data.strip() and (path.is_dir() or path.is_file()):
        if not os.access(path, os.R_OK):
            raise HarnessError(f"{data}: no permission to read it")
        return path
    hint = did_you_mean(data, KEYWORDS)
    hint = hint if hint.startswith(" Did") else ""
    raise HarnessError(f"no such folder or file: {data or repr(data)}; --data takes synthetic, hub, or a folder.{hint}")


def state(task: TaskSpec, data: str) -> str:
    """A hash that changes whenever what `load` returns could, found without reading data.

    It covers this package's code, the task's data settings, and the files' paths, sizes and times or the
    hub's pinned commit. Empty where nothing pins the data: a hub dataset without a commit. The `limit` and
    `splits` are the caller's to add.

    Raises:
        TaskAbsent, HarnessError: as `load` does where the source as a whole is missing.
    """
    data = canonical(data)
    if task.noise is not None:
        clean = state(task.clean, data)
        return hash_json([clean, task.noise]) if clean else ""
    if data == "hub":
        source: object = state_of_hub(task)
        if source is None:
            return ""
    elif data == "synthetic":
        if task.sources.synthetic is None:
            raise TaskAbsent(f"task '{task.name}' has no synthetic data (its sources name no synthetic template)")
        source = "synthetic"
    else:
        layout = locate(task, existing_path(data), possible_splits(task, ()))
        stats = [(str(path.resolve()), path.stat()) for path in layout.read_paths()]
        source = [
            str(layout.place.resolve()),
            [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats],
            {split: path.name for split, path in layout.files.items()},
        ]
    settings = task.model_dump(
        mode="json", exclude={"version", "description", "metrics", "prompt", "verbalizers", "decoding"}
    )
    return hash_json({"code": code_identity.identity("harness.data"), "task": settings, "source": source})
