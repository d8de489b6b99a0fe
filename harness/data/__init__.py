"""Task data from a source: the synthetic world, the Hugging Face hub, a path, or a plug-in's. Never a silent switch
between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.core import code_identity
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json, states_of
from harness.core.specs import TaskSpec
from harness.data.assemble import assemble
from harness.data.attacked import attack_identity, to_be_attacked
from harness.data.behaviour import checks_identity, to_be_checked
from harness.data.folder import existing_path, of_file, with_test
from harness.data.frame import Split, TaskData
from harness.data.hub_access import hub_reachable
from harness.data.item_tasks import modality_of, read_for, state_of_items
from harness.data.noise import perturbed
from harness.data.source import FOLDER, asked_source

__all__ = ["Split", "TaskData", "hub_reachable", "load", "state"]


def load(task: TaskSpec, data: str, limit: int | None = None, splits: Sequence[str] | None = None) -> TaskData:
    """A task's data from `data`: `NAME` or `NAME:REST` of a registered source, or the path of a folder or file; that of
    a task with a source of its own from there.

    `splits` are those the caller needs, by default the training split and those evaluated (only the latter
    for a task that is trained on another one or as one without noise, or not at all). `limit` keeps the first rows of
    each.

    Raises:
        TaskAbsentError: the source does not hold this task.
        HarnessError: there is no such source, or what it holds is malformed or lacks a split.
    """
    data = task.reading.source or data
    wanted = list(dict.fromkeys(splits if splits is not None else default_splits(task)))
    if task.noise is not None:
        return perturbed(load(task.clean, data, limit, wanted), task)
    if task.attack is not None:
        return to_be_attacked(load(task.clean, data, limit, wanted), task)
    if task.checks is not None:
        return to_be_checked(load(task.clean, data, limit, wanted), task)
    family = FAMILIES.get(task.family)
    predictions = family.predictions
    only_file = task.reading.test is not None and wanted == ["test"]
    inferred = task.labels is None and predictions in ("labels", "tags") and not (only_file or family.choices)
    to_read = [task.train, *wanted] if inferred else wanted
    # Which rows have a label only all of them tell; texts are all there, and may be many.
    read_at_most = None if predictions in ("labels", "values", "tags") else limit
    asked = asked_source(data)
    to_read = list(dict.fromkeys(to_read))
    if only_file:
        reading = of_file(task, Path(str(task.reading.test)))
        return assemble(task, reading, wanted, FOLDER).head(limit)
    from_source = [name for name in to_read if name != "test"] if task.reading.test else to_read
    reading = asked.source.read(task, asked.rest, from_source, read_at_most)
    if task.reading.test and "test" in to_read:
        reading = with_test(reading, of_file(task, Path(task.reading.test)))
    if task.reading.dev_fraction is not None and not reading.carve and {"dev", task.train} & set(wanted):
        raise HarnessError(f"--dev-fraction: {reading.location} has a dev split; leave it out")
    return assemble(task, reading, wanted, asked.recorded).head(limit)


def default_splits(task: TaskSpec) -> list[str]:
    only_scored = task.train_on or task.shots == 0 or (task.perturbation and not task.shots)
    return list(task.eval) if only_scored else [task.train, *task.eval]


def state(task: TaskSpec, data: str) -> str:
    """A hash that changes whenever what `load` returns could, found without reading data.

    It covers this package's code and the source's, the task's data settings, and what the source says pins its data:
    the files' paths and states (`hashing.states_of`), or the hub's pinned commit. Empty where nothing pins the data: a
    hub dataset without a commit. The `limit` and `splits` are the caller's to add.

    Raises:
        TaskAbsentError, HarnessError: as `load` does where the source as a whole is missing.
    """
    if task.perturbation is not None:
        clean = state(task.clean, data)
        how = task.noise if task.attack is None else attack_identity(task.attack)
        how = how if task.checks is None else checks_identity(task.checks)
        return hash_json([clean, how]) if clean else ""
    asked = asked_source(task.reading.source or data)
    pinned = asked.source.state(task, asked.rest)
    if pinned is None:
        return ""
    settings = task.model_dump(
        mode="json", exclude={"version", "description", "metrics", "prompt", "verbalizers", "decoding", "card"}
    )
    code = code_identity.identity("harness.data", asked.code)
    if task.reading.test:
        test = existing_path(task.reading.test)
        pinned = [pinned, str(test.resolve()), *states_of([test])]
        if modality_of(task) is not None:
            pinned = [*pinned, state_of_items(task, {"test": read_for(task, test)}, task.fields)]
    return hash_json({"code": code, "task": settings, "source": [asked.recorded, pinned]})
