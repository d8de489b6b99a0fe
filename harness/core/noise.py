"""Noise and attacks as a part of a task's name: `sst2+typos` is scored on the texts of `sst2` with typos, which
`harness.data.noise` makes, `sst2+textfooler` on what an attack makes of them for the very model that is scored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core import plugins
from harness.core.attack_spec import AttackSpec
from harness.core.errors import HarnessError, unknown
from harness.core.families import FAMILIES
from harness.core.specs import NOISE_MARK, TaskSpec

NOISES = ("typos", "case", "punctuation")


def check_name(name: str, where: str = "") -> None:
    """Raises HarnessError, with a did-you-mean, for a noise there is none of."""
    if name in plugins.table("attack").names():
        raise HarnessError(f"{where} {name}: that is an attack, not noise; give --attack {name}")
    if name not in NOISES:
        raise unknown("noise", name, NOISES, where)


def check_attack(name: str, where: str = "") -> None:
    """Raises HarnessError, with a did-you-mean, for an attack there is none of."""
    if name in NOISES:
        raise HarnessError(f"{where} {name}: that is noise, not an attack; give --noise {name}")
    plugins.table("attack").check(name, where)


def can_have_noise(task: TaskSpec) -> bool:
    """Whether a task answers with a class or a number, which noise in the text does not change."""
    family = FAMILIES.get(task.family)
    answers = family.predictions in ("labels", "values") and family.choices is None
    return answers and bool(family.text_fields(task.fields))


def can_be_attacked(task: TaskSpec) -> bool:
    """Whether a task answers with a class of its own, which an attack can turn into another."""
    return can_have_noise(task) and FAMILIES.get(task.family).predictions == "labels"


def perturbed_task(task: TaskSpec, name: str) -> TaskSpec:
    """The task scored under noise, or under an attack, whose options a run fills in.

    Raises:
        HarnessError: there is neither, or the task is of a family whose answers it would change.
    """
    if name in plugins.table("attack").names() and name not in NOISES:
        return _attacked(task, AttackSpec(method=name), f"task '{task.name}{NOISE_MARK}{name}'")
    return with_noise(task, name)


def with_noise(task: TaskSpec, name: str) -> TaskSpec:
    """The task scored under noise.

    Raises:
        HarnessError: there is no such noise, or the task is of a family whose answers are words of the text.
    """
    noisy = f"{task.name}{NOISE_MARK}{name}"
    if name not in NOISES:
        raise unknown("noise", name, (*NOISES, *plugins.table("attack").names()), f"task '{noisy}'")
    _refuse_without_texts(task, noisy, "noise")
    if not can_have_noise(task):
        raise HarnessError(
            f"task '{noisy}': noise goes with answers that are a class or a number, those of {task.family} are text; "
            f"ask for {task.name}"
        )
    return task.model_copy(update={"name": noisy, "noise": name})


def _refuse_without_texts(task: TaskSpec, name: str, what: str) -> None:
    if not FAMILIES.get(task.family).text_fields(task.fields):
        raise HarnessError(f"task '{name}': {what} changes texts, and {task.family} has none; ask for {task.name}")


def attacked_task(task: TaskSpec, attack: AttackSpec, where: str = "") -> TaskSpec:
    """The task scored under an attack, all of whose options are filled in.

    Raises:
        HarnessError: there is no such attack, it has no such option, or the task's answers are no classes.
    """
    place = where or f"task '{task.name}{NOISE_MARK}{attack.method}'"
    attacked = _attacked(task, attack, place)
    options: Mapping[str, Any] = plugins.lookup("attack", attack.method).checked(attack.options, place)
    field, family = options.get("field"), FAMILIES.get(task.family)
    fields = family.text_fields(task.fields)
    if field is not None and field not in fields:
        raise HarnessError(f"{place}: field {field}: {task.name} has no such text, only {', '.join(fields)}")
    return attacked.model_copy(update={"attack": AttackSpec(method=attack.method, options=dict(options))})


def _attacked(task: TaskSpec, attack: AttackSpec, where: str) -> TaskSpec:
    check_attack(attack.method, where)
    name = f"{task.name}{NOISE_MARK}{attack.method}"
    _refuse_without_texts(task, name, "an attack")
    if not can_be_attacked(task):
        raise HarnessError(
            f"task '{name}': an attack goes with answers that are a class of the task, and {task.family} has others; "
            f"ask for {task.name}"
        )
    return task.model_copy(update={"name": name, "attack": attack})
