"""Episodes of tasks with classes: which task, which of its classes, which of their examples."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random

from harness.core.errors import HarnessError
from harness.core.meta_spec import MetaSpec
from harness.core.specs import TaskSpec
from harness.data.frame import Split

GENERATOR_FILE = "head_generator.safetensors"
"""Beside an encoder's weights: the network that makes an output layer of examples."""


@dataclass(frozen=True)
class TrainingTask:
    """A task to draw episodes from: its classes and its labelled training split."""

    task: TaskSpec
    labels: tuple[str, ...]
    train: Split

    @property
    def name(self) -> str:
        return self.task.name


@dataclass(frozen=True)
class Draw:
    """An episode as rows of a task's training split: `support` and `query` are pairs of a row and its class, which is a
    number from 0 within the episode; `classes` are those of the task.
    """

    task: int
    classes: tuple[int, ...]
    support: tuple[tuple[int, int], ...]
    query: tuple[tuple[int, int], ...]


def probabilities(sizes: Sequence[int], alpha: float) -> list[float]:
    """How often each task is drawn: by its size to the power of alpha, all alike at 0, by size at 1."""
    weights = [size**alpha for size in sizes]
    return [weight / sum(weights) for weight in weights]


def check_classes(task: str, sizes: Iterable[int], spec: MetaSpec) -> None:
    """Raises HarnessError for a task with fewer than two classes that have enough examples for an episode."""
    needed = spec.k + spec.queries
    count = sum(size >= needed for size in sizes)
    if count < 2:
        raise HarnessError(
            f"meta: task {task} has {count} classes of {needed} examples or more, the k and queries of an episode; two "
            "are needed"
        )


class EpisodeSampler:
    """Draws episodes; each is a function of the seed, the step and its number in it.

    Raises:
        HarnessError: a task has fewer than two classes with enough examples for an episode.
    """

    def __init__(self, tasks: Sequence[TrainingTask], spec: MetaSpec) -> None:
        self._spec = spec
        self._rows = [self._usable(task) for task in tasks]
        self._chances = probabilities([len(task.train) for task in tasks], spec.alpha)

    def _usable(self, task: TrainingTask) -> dict[int, list[int]]:
        rows: dict[int, list[int]] = {}
        for row, label in enumerate(task.train.labels or ()):
            if isinstance(label, int):
                rows.setdefault(label, []).append(row)
        enough = {label: of_class for label, of_class in sorted(rows.items()) if len(of_class) >= self._needed}
        check_classes(task.name, map(len, rows.values()), self._spec)
        return enough

    @property
    def _needed(self) -> int:
        return self._spec.k + self._spec.queries

    def draw(self, step: int, number: int) -> Draw:
        """One episode: of two or more classes of a task, at most `ways`."""
        random = Random(f"{self._spec.seed}:{step}:{number}")
        task = random.choices(range(len(self._rows)), self._chances)[0]
        rows = self._rows[task]
        count = random.randint(2, min(self._spec.ways, len(rows)))
        classes = tuple(random.sample(sorted(rows), count))
        support: list[tuple[int, int]] = []
        query: list[tuple[int, int]] = []
        for number_of_class, label in enumerate(classes):
            chosen = [(row, number_of_class) for row in random.sample(rows[label], self._needed)]
            support += chosen[: self._spec.k]
            query += chosen[self._spec.k :]
        return Draw(task, classes, tuple(support), tuple(query))
