"""Few examples of each class: which tasks they can be drawn of, and how many there are."""

from __future__ import annotations

from dataclasses import dataclass

from harness.core.cached_facts import KnownData
from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.run_spec import DRAWS, RunSpec
from harness.core.specs import TaskSpec
from harness.data.frame import draw_name


@dataclass(frozen=True)
class Portion:
    """What of the training examples a model is fitted to: a fraction, or, with `k_shot`, so many of each class."""

    fraction: float = 1.0
    k_shot: int | None = None


def draws_of(run: RunSpec) -> range:
    """The seeds by which few examples are drawn."""
    return range(run.first_seed, run.first_seed + (run.draws or DRAWS))


def few_of_class(k: int, facts: KnownData) -> Portion:
    """`k` examples of each class as a portion of those that there are."""
    counts = next(split.classes for split in facts.splits.values() if split.classes)
    return Portion(k * len(counts) / sum(counts.values()), k)


def no_classes(task: TaskSpec, run: RunSpec) -> str | None:
    """Why no few examples of each class can be drawn of a task, where the run asks for them; None where they can."""
    family = FAMILIES.get(task.family)
    if not run.k_shot:
        return None
    if task.shots is not None:
        return f"--k-shot trains on so many examples of each class, and {task.name} trains on none"
    if family.predictions != "labels" or family.choices is not None:
        return f"--k-shot draws so many examples of each class, and {task.family} has no classes"
    return None


def check_draws(task: TaskSpec, facts: KnownData, run: RunSpec) -> None:
    """Raises HarnessError for more examples of a class than there are, for a draw that was not published, and where the
    training examples are published draws and the run takes none of them.
    """
    train = facts.splits.get(task.train)
    if train is None or task.shots is not None:
        return
    if train.draws and not run.k_shot:
        raise HarnessError(
            f"task {task.name}: its training examples are published draws of {_sizes(train.draws)} examples a class; "
            "say which to train on, such as --k-shot 4"
        )
    for k in run.k_shot:
        if train.draws:
            absent = [seed for seed in draws_of(run) if draw_name(k, seed) not in train.draws]
            if absent:
                raise HarnessError(
                    f"--k-shot {k}: task {task.name} has no draw {absent[0]} of {k} examples a class; published are "
                    f"{_sizes(train.draws)} examples a class, {_numbers(train.draws)}"
                )
            continue
        scarce = min(train.classes, key=lambda label: train.classes[label], default=None)
        if scarce is not None and train.classes[scarce] < k:
            raise HarnessError(
                f"--k-shot {k}: task {task.name} has {train.classes[scarce]} examples of "
                f"{facts.labels[int(scarce)]} in {task.train}; take fewer"
            )


def _sizes(draws: list[str]) -> str:
    return ", ".join(sorted({name.partition("/")[0] for name in draws}, key=int))


def _numbers(draws: list[str]) -> str:
    numbers = sorted({int(name.partition("/")[2]) for name in draws})
    return f"draws {numbers[0]} to {numbers[-1]}"
