"""Noise as a part of a task's name: `sst2+typos` is scored on the texts of `sst2` with typos, which
`harness.data.noise` makes.
"""

from __future__ import annotations

from harness.core.errors import HarnessError, unknown
from harness.core.families import FAMILIES
from harness.core.specs import NOISE_MARK, TaskSpec

NOISES = ("typos", "case", "punctuation")


def check_name(name: str, where: str = "") -> None:
    """Raises HarnessError, with a did-you-mean, for a noise there is none of."""
    if name not in NOISES:
        raise unknown("noise", name, NOISES, where)


def can_have_noise(task: TaskSpec) -> bool:
    """Whether a task answers with a class or a number, which noise in the text does not change."""
    family = FAMILIES.get(task.family)
    return family.predictions in ("labels", "values") and family.choices is None


def with_noise(task: TaskSpec, name: str) -> TaskSpec:
    """The task scored under noise.

    Raises:
        HarnessError: there is no such noise, or the task is of a family whose answers are words of the text.
    """
    noisy = f"{task.name}{NOISE_MARK}{name}"
    check_name(name, f"task '{noisy}'")
    if not can_have_noise(task):
        raise HarnessError(
            f"task '{noisy}': noise goes with answers that are a class or a number, those of {task.family} are text; "
            f"ask for {task.name}"
        )
    return task.model_copy(update={"name": noisy, "noise": name})
