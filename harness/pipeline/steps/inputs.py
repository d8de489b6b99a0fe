"""A cell's data, read again in the worker and checked against what the plan saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from harness import data
from harness.core.errors import HarnessError
from harness.core.hashing import canonical_json
from harness.core.specs import TaskSpec
from harness.data.frame import TaskData


def task_data(task: TaskSpec, job: Mapping[str, Any], splits: Sequence[str]) -> TaskData:
    """The task's data with all its splits, kept for the next cell of the same task.

    Raises:
        HarnessError: one of the `splits` a cell uses is not what was planned: the files changed in between.
    """
    loaded = _load(canonical_json(task.model_dump(mode="json")), job["data"], job["limit"])
    for name in splits:
        planned = job["facts"]["splits"][name]["fingerprint"]
        if loaded.splits[name].fingerprint != planned:
            raise HarnessError(
                f"task {task.name}: the split {name} in {loaded.location} changed since the run was planned; "
                "run it again"
            )
    return loaded


@lru_cache(maxsize=2)
def _load(task: str, source: str, limit: int | None) -> TaskData:
    return data.load(TaskSpec.model_validate_json(task), source, limit)
