"""The texts of a score, read again as its run read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json
from harness.core.run_spec import RunSpec
from harness.core.specs import TaskSpec
from harness.core.strict_spec import parse
from harness.core.text import without_paths
from harness.data import load
from harness.data.frame import Split
from harness.pipeline.cells import folds_name
from harness.pipeline.planner.reading import as_read
from harness.pipeline.planner.suites import as_attacked

READING = (
    "data", "text_column", "label_column", "delimiter", "test", "dev_fraction", "folds", "train", "eval_on", "attack",
)  # fmt: skip
"""What of a run says where its rows lie and how they are read."""


def reading_of(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What the spec of a run says of how it reads its data."""
    return {name: spec[name] for name in READING if spec.get(name) not in (None, [])}


def read_again(task: TaskSpec, reading: Mapping[str, Any], split: str, limit: int | None, fingerprint: str) -> Split:
    """The rows of a score.

    Args:
        task: The task.
        reading: What its run says, as `reading_of` has it.
        split: The split, as the record calls it; all folds of the training rows are one.
        limit: The first rows that were read.
        fingerprint: That of the split.

    Returns:
        The split.

    Raises:
        HarnessError: the data is not there any more, or is not what was scored.
    """
    run = parse(RunSpec, dict(reading), "the run")
    task = as_attacked(as_read(task, run), run)
    in_folds = run.folds is not None and split == folds_name(run.folds)
    name = task.train if in_folds else split
    try:
        rows = load(task, run.data, limit, [name]).splits[name]
    except (KeyError, OSError) as error:
        raise HarnessError(f"{without_paths(run.data)}: {error}") from None
    if (hash_json([rows.fingerprint, run.folds]) if in_folds else rows.fingerprint) != fingerprint:
        raise HarnessError(f"{without_paths(run.data)} is not what was scored any more")
    unread = FAMILIES.get(task.family).unread
    return replace(rows, fields={name: texts for name, texts in rows.fields.items() if name not in unread})
