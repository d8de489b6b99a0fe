"""mteb (Muennighoff et al. 2023) as a task library, `mteb:TASK`, and the data source of its tasks: those that need no
more of a model than the vectors of texts. Definitions, data, sampling and classifiers are the package's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.core.libraries import ANSWER, VALUES, Embed, Listed, Outcomes, TaskLibrary
from harness.core.libraries import Examples as SplitIds
from harness.core.specs import LIBRARY_MARK, SuiteSpec, TaskSpec
from harness.data.assemble import Reading
from harness.data.source import Source, asked_source
from harness.data.table import table_of
from harness.libraries import mteb_tasks as tasks
from harness.libraries.mteb_metrics import metric_of
from harness.metrics.base import Metric


class Mteb(TaskLibrary):
    """See the module."""

    def names(self, include: Sequence[str] = ()) -> list[Listed]:
        known = []
        for name, task in sorted(tasks.classes().items()):
            if tasks.refusal(task) is None:
                subsets = tasks.subsets_of(task)
                members = tuple(f"{name}{tasks.WITHIN}{subset}" for subset in subsets) if len(subsets) > 1 else ()
                known.append(Listed(name, "group" if members else "task", task.metadata.type, members))
        return known

    def task(self, name: str, shots: int | None, include: Sequence[str] = ()) -> TaskSpec:
        _refuse_shots(name, shots)
        return tasks.spec_of(name)

    def group(self, name: str, shots: int | None, include: Sequence[str] = ()) -> SuiteSpec | None:
        base, subset = tasks.parted(name)
        if subset is not None:
            return None
        _refuse_shots(name, shots)
        subsets = tasks.subsets_of(tasks.class_of(base))
        if len(subsets) == 1:
            return None
        called = f"{tasks.NAME}{LIBRARY_MARK}{base}"
        members = [f"{called}{tasks.WITHIN}{each}" for each in subsets]
        return SuiteSpec.model_construct(name=called, version=1, description="", tasks=members, average=members)

    def metric(self, name: str) -> Metric:
        return metric_of(name, tasks.NAME)

    def read_from(self, task: TaskSpec, data: str) -> TaskSpec:
        asked = asked_source(data)
        if not asked.is_path:
            return task
        return tasks.spec_of(task.name.partition(LIBRARY_MARK)[2], data)

    def embedded(self, task: TaskSpec, split: SplitIds, embed: Embed) -> Outcomes:
        numbers = [int(name.rpartition("-")[2]) for name in split.ids]
        name = task.eval[0] if len(task.eval) == 1 else split.ids[0].rpartition("-")[0]
        values, main = tasks.evaluate(task, name, max(numbers) + 1, embed)
        rows = [values[number] for number in numbers]
        settings = {"mteb": tasks.package(), "main_score": {metric_name(task): main}}
        return Outcomes([tasks.outcome({ANSWER: _answer(row), VALUES: row}) for row in rows], {}, settings)


def metric_name(task: TaskSpec) -> str:
    """What mteb calls the main score."""
    return task.primary_metrics[0].partition(LIBRARY_MARK)[2]


def _answer(row: dict[str, Any]) -> str:
    """What a reader is shown of an example."""
    if "predicted" in row:
        return str(row["predicted"])
    name = "cosine" if "cosine" in row else next(iter(row))
    return f"{name} {row[name]:.4f}" if isinstance(row[name], float) else str(row[name])


def _refuse_shots(name: str, shots: int | None) -> None:
    if shots is not None:
        raise HarnessError(f"task {tasks.NAME}:{name}: an encoder is shown no examples; leave @{shots}-shot out")


class MtebSource(Source):
    """The examples of a task as mteb reads them."""

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        """Raises HarnessError for another task than one of mteb's, or data that cannot be had."""
        _refuse_others(task)
        says = task.sources.of(tasks.NAME)
        tables = {}
        for split in splits:
            made = tasks.examples(task, split, limit)
            columns = {"text": list(made.texts), "content": made.contents(), "target": list(made.targets)}
            tables[split] = table_of(columns, f"{task.name} ({split})")
        location = tasks.class_of(says["task"]).metadata.dataset["path"]
        return Reading(
            location=says["folder"] or str(location), tables=tables, columns={name: name for name in task.fields}
        )

    def state(self, task: TaskSpec, rest: str) -> object | None:
        """The commit that mteb names, or the states of local files."""
        _refuse_others(task)
        return tasks.state_of(task)


def _refuse_others(task: TaskSpec) -> None:
    if task.library != tasks.NAME:
        raise HarnessError(
            f"--data {tasks.NAME}: it is the data of mteb's own tasks; ask for one as {tasks.NAME}{LIBRARY_MARK}TASK"
        )


LIBRARY = Mteb()
SOURCE = MtebSource()
