"""The embedded source: data that the package writes itself, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import HarnessError, TaskAbsent, unknown
from harness.core.specs import TaskSpec
from harness.data import synthetic as embedded
from harness.data.assemble import Reading
from harness.data.table import Table


def read_embedded(task: TaskSpec, wanted: Sequence[str]) -> Reading:
    """The wanted splits of the task's shape of the embedded world.

    Raises:
        TaskAbsent: the task names no shape.
        HarnessError: it names an unknown one, or a split that the shape does not have.
    """
    if task.sources.embedded is None:
        raise TaskAbsent(f"task '{task.name}' has no embedded data (its sources name no embedded shape)")

    shape = task.sources.embedded.shape
    if shape not in embedded.SHAPES:
        raise unknown("embedded shape", shape, embedded.SHAPES, f"task '{task.name}'")
    location = f"embedded world v{embedded.WORLD_VERSION}"
    built = embedded.build(shape)
    tables = {}
    for split in wanted:
        if split not in built:
            raise HarnessError(
                f"task '{task.name}': {location} has no split '{split}' of {shape}; it has {', '.join(built)}"
            )
        columns = built[split]
        tables[split] = Table(
            where=f"{location} ({shape}/{split})",
            names=tuple(columns),
            read_column=columns.__getitem__,
            numbers=range(len(columns["id"])),
        )
    return Reading(
        source="embedded",
        location=location,
        tables=tables,
        columns={name: name for name in task.fields},
        id="id",
        oracle="oracle",
    )
