"""A task that is scored with the model of another one: `mr@sst2` has the examples of `mr`, none of them trained on."""

from __future__ import annotations

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.specs import NOISE_MARK, SHOTS_MARK, TaskSpec


def scored_with(task: TaskSpec, trained: TaskSpec) -> TaskSpec:
    """The task scored with the model of another, which is asked as it was trained to be.

    Args:
        task: The task whose examples are scored.
        trained: The task that the model is trained on.

    Returns:
        The task under the name `TASK@TRAINED`; the classes of both are compared when the data is known.

    Raises:
        HarnessError: one of them is not trained, or they do not ask for the same kind of answer about as many texts.
    """
    family, name = FAMILIES.get(task.family), f"{task.name}{SHOTS_MARK}{trained.name}"
    if not family.trained or task.library or trained.library:
        raise HarnessError(f"task {name}: no model is trained on {task.family}; ask for {task.name} itself")
    if trained.train_on is not None:
        raise HarnessError(
            f"task {name}: {trained.name} is itself scored with the model of {trained.train_on}; ask for "
            f"{task.name}{SHOTS_MARK}{trained.train_on}"
        )
    if task.family != trained.family or _texts(task) != _texts(trained):
        raise HarnessError(
            f"task {name}: {task.name} is {task.family} of {', '.join(_texts(task))}, {trained.name} is "
            f"{trained.family} of {', '.join(_texts(trained))}: the model of one cannot be scored on the other"
        )
    asked = {field: getattr(trained, field) for field in ("prompt", "prompt_trained", "verbalizers")}
    return task.model_copy(update={**asked, "train_on": trained.name, "name": name})


def base_name(name: str) -> str:
    """The task whose examples are scored, of a name with more in it."""
    return name.partition(NOISE_MARK)[0].partition(SHOTS_MARK)[0]


def _texts(task: TaskSpec) -> list[str]:
    """The fields that a model reads."""
    family = FAMILIES.get(task.family)
    return [field for field in (*family.required, *family.optional) if field in task.fields]
