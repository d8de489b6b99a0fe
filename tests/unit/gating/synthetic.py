"""RunResults made of arrays: what a run or a baseline would hold, without training anything."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness import metrics
from harness.core.predictions import prediction_hash
from harness.gating.run_results import RunResults, Scored, TaskSplit


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def evidence(
    tasks: Mapping[str, tuple[Sequence[str], Any, Sequence[Any]]],
    *,
    model: str = "encoder",
    name: str = "run",
    first_seed: int = 0,
    failures: Mapping[tuple[str, int], str] | None = None,
    parts: Mapping[str, Mapping[str, Any]] | None = None,
    tokenizer: str | None = None,
    trained_on: str = "train",
    with_ids: bool = True,
) -> RunResults:
    """`tasks` maps a name to its metrics, its references (n,), and predictions (n,), an array a seed; None stands for
    a seed that failed. `parts` replaces fields of a task's part.
    """
    made: dict[tuple[str, str], TaskSplit] = {}
    scored: dict[tuple[str, str, str, int], Scored] = {}
    causes = {(model, task, "dev", seed): cause for (task, seed), cause in (failures or {}).items()}
    for task, (names, references, seeds) in tasks.items():
        n = len(references)
        ids = tuple(f"{task}-{index}" for index in range(n))
        facts: dict[str, Any] = {
            "task": task, "version": 1, "family": "classification", "split": "dev", "n": n, "primary_metrics": tuple(names),
            "metrics": {name: metrics.get(name).version for name in names}, "labels": ("no", "yes"),
            "data": digest(f"data of {task}"), "source": "synthetic", "limit": None, "references": references,
            "ids_hash": digest("".join(ids)), "ids": ids if with_ids else None,
        }  # fmt: skip
        made[task, "dev"] = TaskSplit(**{**facts, **(parts or {}).get(task, {})})
        for seed, predictions in enumerate(seeds, start=first_seed):
            if predictions is None:
                causes.setdefault((model, task, "dev", seed), "the loss diverged")
                continue
            scores = {}
            for metric in names:
                by_hand = metric == "accuracy"  # scikit-learn checks for longer than it counts
                value = (
                    float((predictions == references).mean())
                    if by_hand
                    else metrics.get(metric).score(predictions, references)
                )
                scores[metric] = {"value": value, "low": value, "high": value}
            scored[model, task, "dev", seed] = Scored(
                predictions,
                prediction_hash(predictions),
                scores,
                digest(model),
                "tfidf",
                None,
                7,
                tokenizer,
                trained_on,
            )
    return RunResults(
        name=name,
        created="2026-11-24T10:00:00Z",
        suites={"demo": tuple(tasks)},
        models=(model,),
        task_splits=made,
        scored=scored,
        failures=causes,
        environment={"versions": {"harness": "0"}},
        data=None,
    )


def classes(n: int, seed: int = 0) -> np.ndarray:
    """References of two classes, (n,)."""
    return np.random.default_rng(seed).integers(0, 2, n)


def answers(references: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Predictions that are right where `right` is."""
    return np.where(right, references, 1 - references)


class Recipe:
    """Trainings of one model spec on one task: examples of different difficulty, models of different luck.

    An example's log-odds of being right are normal around those of `accuracy`; a trained model shifts all by its own
    draw of sd `luck` (0.1: about one point), and a change of the model spec by `drop`, in fraction of right answers.
    """

    def __init__(self, random: np.random.Generator, n: int, accuracy: float = 0.8, luck: float = 0.1) -> None:
        self.random, self.luck = random, luck
        self.references = random.integers(0, 2, n)
        self.difficulty = random.normal(0, 2.0, n)
        self.accuracy = accuracy
        self.offsets: dict[float, float] = {}

    def train(self, drop: float = 0.0) -> np.ndarray:
        aim = self.accuracy - drop
        if aim not in self.offsets:
            self.offsets[aim] = self._offset(aim)
        shift = self.random.normal(0, self.luck) + self.offsets[aim]
        chances = 1 / (1 + np.exp(-(self.difficulty + shift)))
        return answers(self.references, self.random.random(len(chances)) < chances)

    def _offset(self, accuracy: float) -> float:
        """The shift at which the examples' mean chance is the accuracy, by bisection."""
        low, high = -10.0, 10.0
        for _ in range(40):
            middle = (low + high) / 2
            mean = (1 / (1 + np.exp(-(self.difficulty + middle)))).mean()
            low, high = (middle, high) if mean < accuracy else (low, middle)
        return low
