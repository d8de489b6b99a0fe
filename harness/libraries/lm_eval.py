"""lm-evaluation-harness (Gao et al. 2021) as a task library, `lm_eval:TASK`, and the data source of its tasks.

Definitions, prompts, filters, metrics and data are the package's; models answer as they do for the tasks of this one.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.core.errors import HarnessError
from harness.core.libraries import Asking, Examples, Listed, TaskLibrary
from harness.core.specs import LIBRARY_MARK, SuiteSpec, TaskSpec
from harness.data.assemble import Reading
from harness.data.source import Source
from harness.data.table import table_of
from harness.libraries import lm_eval_names as names
from harness.libraries.lm_eval_metrics import metric_of
from harness.libraries.lm_eval_requests import LmEvalAsking, columns_of
from harness.libraries.lm_eval_tasks import load, spec_of, state_of
from harness.metrics.base import Metric


class LmEval(TaskLibrary):
    """See the module."""

    def names(self, include: Sequence[str] = ()) -> list[Listed]:
        return names.listed(include)

    def task(self, name: str, shots: int | None, include: Sequence[str] = ()) -> TaskSpec:
        return spec_of(name, shots, include)

    def group(self, name: str, shots: int | None, include: Sequence[str] = ()) -> SuiteSpec | None:
        members = names.group_of(name, include)
        if members is None:
            return None
        mark = "" if shots is None else f"@{shots}-shot"
        tasks = [f"{names.NAME}{LIBRARY_MARK}{member.name}{mark}" for member in members.tasks]
        return SuiteSpec.model_construct(
            name=f"{names.NAME}{LIBRARY_MARK}{name}{mark}",
            version=1,
            description="",
            tasks=tasks,
            average=tasks,
            average_by="examples" if members.by_examples else "tasks",
        )

    def metric(self, name: str) -> Metric:
        return metric_of(name, names.NAME)

    def asking(self, task: TaskSpec, split: Examples, seed: int) -> Asking:
        return LmEvalAsking(task, split, seed)


class LmEvalSource(Source):
    """The examples of a task as lm_eval reads them."""

    def read(self, task: TaskSpec, rest: str, splits: Sequence[str], limit: int | None) -> Reading:
        """Raises HarnessError for another task than one of lm_eval's, or data that cannot be had."""
        _refuse_others(task)
        config = load(task).config
        location = ", ".join(str(part) for part in (config.dataset_path, config.dataset_name) if part)
        columns = columns_of(task, limit)
        return Reading(
            location=location or "made by the task",
            tables={split: table_of(columns, f"{task.name} ({split})") for split in splits},
            columns={name: name for name in task.fields},
        )

    def state(self, task: TaskSpec, rest: str) -> object | None:
        """The states of local files; None for a dataset of the hub, which tasks do not pin."""
        _refuse_others(task)
        return state_of(task)


def _refuse_others(task: TaskSpec) -> None:
    if task.library != names.NAME:
        raise HarnessError(
            f"--data {names.NAME}: it is the data of lm_eval's own tasks; ask for one as {names.NAME}{LIBRARY_MARK}TASK"
        )


LIBRARY = LmEval()
SOURCE = LmEvalSource()
