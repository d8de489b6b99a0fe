"""Checks what the shipped tasks and models name on the Hugging Face hub, where there is a network.

    python -m tests.nightly.pins [tasks|models]

Of every data set the commit that is pinned must be there and its first row have the columns of the task; of every model
the commit, and weights in safetensors. A line for each that is not so, or pins nothing, and the commit that the hub has;
exit code 1 where something named is not there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice

from harness.core.errors import HarnessError
from harness.core.registry import Registry, load_registry
from harness.core.source_specs import HubSource
from harness.core.specs import TaskSpec
from harness.data import files
from harness.data.hub import asked_of_hub
from harness.data.table import find_column, with_composed

UNPINNED = "pins no commit; the hub has "


def task_problems(registry: Registry) -> Iterator[str]:
    """A line for each task whose data set is not on the hub as its file says; a file's variants have one line each."""
    for name, task in registry.tasks.items():
        if task.sources.hub is not None:
            problem = _problem_of_data(task, task.sources.hub)
            if problem:
                yield f"task {name}: {task.sources.hub.path}: {problem}"


def _problem_of_data(task: TaskSpec, source: HubSource) -> str:
    import datasets
    from huggingface_hub import HfApi

    try:
        commit = HfApi().dataset_info(source.path, revision=source.revision).sha
        streams = datasets.load_dataset(**asked_of_hub(source), streaming=True)
        split = source.splits.get(task.eval[0]) or files.match_split(task.eval[0], streams, source.path)
        if split not in streams:
            return f"no split {split or task.eval[0]}; there are {', '.join(map(str, streams))}"
        rows = list(islice(streams[split], 1))
        table = files.table_of(datasets.Dataset.from_list(rows, features=streams[split].features), source.path)
    except HarnessError as error:
        return str(error)
    except Exception as error:
        return " ".join(f"{type(error).__name__}: {error}".split())[:300]
    columns = {**task.fields, **source.columns}
    table = with_composed(table, columns)
    missing = [field for field in task.fields if find_column(columns, field, table.names) is None]
    if missing and source.format is None:
        return f"no column for {missing[0]}; there are {', '.join(table.names)}"
    return _moved(source.revision, commit)


def model_problems(registry: Registry) -> Iterator[str]:
    """A line for each model that is not on the hub as its file says, or whose weights are no safetensors."""
    from huggingface_hub import HfApi

    for name, spec in registry.model_specs.items():
        if spec.pretrained is None:
            continue
        try:
            info = HfApi().model_info(spec.pretrained, revision=spec.revision)
        except Exception as error:
            yield f"model {name}: {spec.pretrained}: {' '.join(str(error).split())[:300]}"
            continue
        has_weights = any(file.rfilename.endswith(".safetensors") for file in info.siblings or ())
        problem = _moved(spec.revision, info.sha) if has_weights else "no safetensors at that commit"
        if problem:
            yield f"model {name}: {spec.pretrained}: {problem}"


def _moved(pinned: str | None, commit: str | None) -> str:
    if pinned is None or pinned.startswith("refs/"):
        return f"{UNPINNED}{commit}"
    return "" if commit == pinned else f"pins {pinned}, the hub gives {commit}"


def main() -> int:
    registry = load_registry([])
    kinds = {"tasks": task_problems, "models": model_problems}
    asked = sys.argv[1:] or list(kinds)
    lost = 0
    for kind in asked:
        for line in kinds[kind](registry):
            print(line, flush=True)
            lost += UNPINNED not in line
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
