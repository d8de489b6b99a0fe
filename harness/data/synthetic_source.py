"""The synthetic source: data that the package writes itself, the same everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import HarnessError, TaskAbsent, unknown
from harness.core.specs import TaskSpec
from harness.data import synthetic
from harness.data.assemble import Reading
from harness.data.table import Table


def read_synthetic(task: TaskSpec, wanted: Sequence[str]) -> Reading:
    """The wanted splits of the task's template of the synthetic world.

    Raises:
        TaskAbsent: the task names no template.
        HarnessError: it names an unknown one, or a split that the template does not have.
    """
    if task.sources.synthetic is None:
        raise TaskAbsent(f"task '{task.name}' has no synthetic data (its sources name no synthetic template)")

    template = task.sources.synthetic.template
    if template not in synthetic.SHAPES:
        raise unknown("synthetic template", template, synthetic.SHAPES, f"task '{task.name}'")
    location = f"synthetic world v{synthetic.WORLD_VERSION}"
    built = synthetic.build(template)
    tables = {}
    for split in wanted:
        if split not in built:
            raise HarnessError(
                f"task '{task.name}': {location} has no split '{split}' of {template}; it has {', '.join(built)}"
            )
        columns = built[split]
        tables[split] = Table(
            where=f"{location} ({template}/{split})",
            names=tuple(columns),
            read_column=columns.__getitem__,
            numbers=range(len(columns["id"])),
        )
    return Reading(
        source="synthetic",
        location=location,
        tables=tables,
        columns={name: name for name in task.fields},
        id="id",
        oracle="oracle",
    )
