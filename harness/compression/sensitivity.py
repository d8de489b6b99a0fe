"""Sensitivity: what a method costs when it touches one group of layers alone, and which groups it had better skip.

Each group is compressed by itself, saved, loaded in its runtime and scored on the examples on which the untouched model
was scored (as layers are ranked for post-training quantization; Nagel et al. 2021).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from harness import metrics
from harness.compression.base import Request
from harness.compression.chain import compress
from harness.compression.methods import Method, make_step
from harness.compression.options import LayerOptions
from harness.core.atomic import scratch_folder
from harness.core.errors import HarnessError
from harness.core.predictions import as_references
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.modeling.runtimes.torch_eager import load
from harness.stats.aggregate import Estimate
from harness.stats.paired import Pair, change
from harness.training.learners import LEARNERS, PredictRequest

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Damage:
    """What the score loses where only `layers` are compressed (above 0: worse), and the fraction of predictions that
    stay, None of numbers.
    """

    layers: str
    drop: Estimate
    agreement: float | None


class Probe:
    """A model whose predictions on labelled splits are known, and what a method that goes layer by layer does to them.

    `request` is that of the method's compression of the whole model. `scale` is that of the score: 1, or 100 for BLEU.

    Raises:
        HarnessError: a chain, a method that knows no layers, or splits without labels.
    """

    def __init__(self, method: Method, request: Request, splits: Mapping[str, Split]) -> None:
        step = method.steps[0]
        if len(method.steps) > 1 or not isinstance(step.compressor.options, LayerOptions):
            raise HarnessError(f"--sensitivity: {method.label} does not go layer by layer; give one method that does")
        self.method, self.name, self.options = method, step.name, step.compressor.options
        self._step, self._request = step, request
        self._splits = {name: split for name, split in splits.items() if split.labels is not None}
        if not self._splits:
            raise HarnessError(f"--sensitivity: task {request.data.task.name} has no labels to score on")
        self._references = [
            as_references(split.labels, split.groups) for split in self._splits.values() if split.labels is not None
        ]
        self._metrics = _counted(request.data.task)
        self._before = self._predict(request.source)
        self.metrics = [metric.name for metric in self._metrics]
        self.counts = {name: len(split) for name, split in self._splits.items()}
        self.scale = max(metric.high or 1.0 for metric in self._metrics)
        self.score = fmean(
            metric.score(predictions, true)
            for predictions, true in zip(self._before, self._references, strict=True)
            for metric in self._metrics
        )

    def layers(self) -> tuple[str, ...]:
        """The groups of layers the method touches, in the model's order."""

        return self._step.compressor.layers(load(self._request.source)[0])

    def damage(self, name: str, **changes: Any) -> Damage:
        """Compress with the method's options but for `changes`, in a folder of its own, and score."""
        changed = make_step(self._step.name, {**self._step.options, **changes}, self.method.label)
        with scratch_folder() as folder:
            target, scratch = folder / "model", folder / "scratch"
            target.mkdir()
            scratch.mkdir()
            compress(Method(self.method.label, (changed,)), replace(self._request, target=target, scratch=scratch))
            return Damage(name, *self._compared(self._predict(target)))

    def _predict(self, folder: Path) -> list[np.ndarray]:
        data, learner = self._request.data, LEARNERS.get("transformer")
        asked = PredictRequest(data.task, data.labels, data.train, folder, self._request.seed)
        return [learner.predict(replace(asked, split=split)).values for split in self._splits.values()]

    def _compared(self, after: Sequence[np.ndarray]) -> tuple[Estimate, float | None]:
        """The drop of the score with its paired interval, and the agreement."""
        import numpy as np

        predictions = zip(self._before, after, self._references, strict=True)
        estimate = change([Pair([before], [other], true) for before, other, true in predictions], self._metrics)
        if self._metrics[0].greater_is_better:
            estimate = Estimate(0.0 - estimate.value, 0.0 - estimate.high, 0.0 - estimate.low)
        if after[0].dtype.kind == "f":
            return estimate, None
        equal = [before == other for before, other in zip(self._before, after, strict=True)]
        return estimate, float(np.concatenate(equal).mean())


def _counted(task: TaskSpec) -> list[Any]:
    """The metrics a task's score is the mean of, all better in one direction."""
    every = [metrics.get(name) for name in task.primary_metrics or task.metrics]
    return [metric for metric in every if metric.greater_is_better] or every


def worst(damages: Sequence[Damage], count: int) -> list[str]:
    """The `count` groups of the largest drops, in the order given."""
    names = {damage.layers for damage in sorted(damages, key=lambda damage: -damage.drop.value)[:count]}
    return [damage.layers for damage in damages if damage.layers in names]


def beyond(damages: Sequence[Damage], drop: float) -> list[str]:
    """The groups whose drop is larger, by its estimate, in the order given."""
    return [damage.layers for damage in damages if damage.drop.value > drop]
