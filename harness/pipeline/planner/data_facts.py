"""What a plan must know of data, and what of a task a result depends on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import data, metrics
from harness.core.cached_facts import KnownData, SplitCounts
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.hashing import hash_json
from harness.core.specs import TaskSpec
from harness.core.store import Store
from harness.corpora.contamination.rows import plain_rows
from harness.data.frame import count_in, set_of_rows
from harness.data.modalities import MODALITIES
from harness.training.costs import sizes_of

DROPPED_AT_MOST = 0.01
"""The fraction of a split's rows that may be left out without a word of the user."""


def data_facts(task: TaskSpec, source: str, limit: int | None, store: Store, only_scored: bool = False) -> KnownData:
    """What the plan must know of a task's data, from the store's cache where the source's state is unchanged.

    `only_scored`: of the splits that are scored alone.
    """
    for modality in FAMILIES.get(task.family).modalities.values():
        MODALITIES.get(modality).require()
    state = data.state(task, source)
    key = hash_json(["data", 4, state, limit, task.train, task.eval, task.train_on, only_scored])
    return KnownData.model_validate(
        store.get_or_compute(key if state else None, lambda: _read_facts(task, source, limit, only_scored), KnownData)
    )


def _read_facts(task: TaskSpec, source: str, limit: int | None, only_scored: bool) -> dict[str, Any]:
    loaded = data.load(task, source, limit, task.eval if only_scored else None)
    splits = loaded.fingerprints()
    for name, split in loaded.splits.items():
        splits[name]["distinct"] = split.distinct
        if name == task.train:
            splits[name] |= {"classes": split.per_class(), "draws": list(dict.fromkeys(split.draws or ()))}
        splits[name]["words"] = sum(text.count(" ") + 1 for column in split.fields.values() for text in column)
    return {
        "source": loaded.source,
        "location": loaded.location,
        "labels": list(loaded.labels),
        "notes": list(loaded.notes),
        "splits": splits,
        "sizes": {name: sizes_of(list(split.fields.values()), split.labels) for name, split in loaded.splits.items()},
        "stands_in": dict(loaded.stands_in),
        "in_train": _in_train(loaded, task.train),
        "dropped": {name: list(counts) for name, counts in loaded.dropped.items()},
    }


def _in_train(loaded: data.TaskData, train: str) -> dict[str, int]:
    """How many rows of each other split stand in the training split, but for case, punctuation and white space."""
    if train not in loaded.splits:
        return {}
    rows = loaded.splits[train]
    known = set_of_rows(plain_rows(rows), len(rows))
    others = {name: split for name, split in loaded.splits.items() if name != train}
    return {name: count_in(plain_rows(split), len(split), known) for name, split in others.items()}


def as_scored(task: TaskSpec, facts: KnownData) -> TaskSpec:
    """The task with the splits that are there to be scored: a test split where there is no dev."""
    scored = [facts.stands_in.get(split, split) for split in task.eval]
    return task if scored == task.eval else task.model_copy(update={"eval": list(dict.fromkeys(scored))})


def refuse_dropped(task: TaskSpec, facts: KnownData) -> None:
    """Raises HarnessError where more than 1 % of a split's rows were left out."""
    for split, (count, of) in facts.dropped.items():
        if count > DROPPED_AT_MOST * of:
            raise HarnessError(
                f"task {task.name}: {count} of {of} rows of {split} in {facts.location} are left out "
                f"({100 * count / of:.1f} %: malformed, or without a label); correct the file, or pass --allow-dropped"
            )


def split_facts(task: TaskSpec, name: str, facts: KnownData) -> SplitCounts:
    """Of one split. Raises HarnessError where the data has none of that name."""
    try:
        return facts.splits[name]
    except KeyError:
        raise HarnessError(
            f"task {task.name}: {facts.location} has no split {name}, only {', '.join(facts.splits)}"
        ) from None


def task_identity(task: TaskSpec, facts: KnownData) -> dict[str, Any]:
    """What of a task a result depends on, beside its data; how it is put into words counts where that is done."""
    identity = {"name": task.name, "version": task.version, "family": task.family, "labels": facts.labels}
    if task.library is not None:
        identity["definition"] = task.sources.of(task.library)["definition"]
    given = task.model_dump(mode="json", include={"prompt", "verbalizers", "decoding", "shots", "label_range"})
    return identity | {key: value for key, value in given.items() if value not in (None, {})}


def metric_versions(names: Sequence[str]) -> dict[str, str]:
    """The code of metrics, by name."""
    return {name: metrics.code_version(name) for name in names}
