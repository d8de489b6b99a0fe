"""What cells on images and sounds are estimated to cost, from their numbers and the shapes of their towers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.pretraining_specs import PretrainingSpec
from harness.core.specs import ModelSpec, TaskSpec
from harness.training import costs
from harness.training.costs import Shape, Work
from harness.training.defaults import epochs_for
from harness.training.learners.base import LINEAR_PROBE

READ_SECONDS = 2e-3
"""Of an item that is decoded and brought to a model's size."""
CAPTION = 14
"""Tokens of a caption, about."""
REGRESSIONS, REGRESSED = 1.0, 4e-6
"""Seconds of a probe's regressions: of them all, and of a number of the features of an example, with ten classes."""
HELD_OUT = 500
"""Items that a pretraining is scored on."""

Towers = list[tuple[Shape, float]]
"""The shape of each tower, and the tokens or patches that it reads of an item or a caption."""


def towers_of(config: Mapping[str, Any], vocabulary: int | None = None) -> Towers | None:
    """None where a config does not say how large its towers are, as those of convolutions and windows do not."""
    parts = [config]
    if "text_config" in config:
        parts = [config.get("vision_config") or {}, config["text_config"] | {"vocab_size": vocabulary}]
    towers = []
    for part in parts:
        is_text = part is not config and part is parts[-1]
        shape = costs.shape_of(part, vocabulary if is_text else 1)
        length = CAPTION if is_text else _patches(part)
        if shape is None or length is None:
            return None
        towers.append((shape, float(length)))
    return towers


def _patches(config: Mapping[str, Any]) -> int | None:
    size, patch = config.get("image_size"), config.get("patch_size")
    if isinstance(size, int) and isinstance(patch, int) and patch > 0:
        return (size // patch) ** 2 + 1
    names = ("num_mel_bins", "max_length", "frequency_stride", "time_stride")
    values = [config.get(name) for name in names]
    if not all(isinstance(value, int) and value > 0 for value in values):
        return None
    bins, frames, down, along = (int(str(value)) for value in values)
    return (bins // down) * (frames // along) + 2


def pretraining(settings: PretrainingSpec, towers: Towers, items: int, frames: int = 1) -> Work | None:
    """A checkpoint made of so many items, each of so many frames; None of one that is trained by the clock."""
    count = settings.tokens if settings.steps is None else settings.steps * settings.batch_size
    if count is None:
        return None
    precision = "bf16" if settings.precision == "bf16" else "fp32"
    twice = 1 if settings.accumulate == 1 else 4 / 3
    work = Work(seconds=READ_SECONDS * items)
    for number, (shape, length) in enumerate(towers):
        times = frames if number == 0 else 1
        work += costs.loading(shape) + costs.steps(shape, count / settings.batch_size, settings.optimizer)
        work += costs.passes(shape, twice * times * count * length, length, precision)
        work += costs.passes(shape, 2 * times * min(HELD_OUT, 0.05 * items) * length, length, None)
    return work


def fitting(model_spec: ModelSpec, towers: Towers, examples: int) -> Work:
    """A classifier fitted to so many items."""
    (shape, length), training = towers[0], model_spec.training
    if model_spec.options.get(LINEAR_PROBE):
        features = Work(seconds=READ_SECONDS * examples) + costs.passes(shape, examples * length, length, None)
        return features + costs.loading(shape) + Work(seconds=REGRESSIONS + REGRESSED * examples * shape.width)
    seen = examples * epochs_for(training, examples)
    work = Work(seconds=READ_SECONDS * examples) + costs.loading(shape)
    work += costs.steps(shape, seen / training.batch_size, training.optimizer)
    return work + costs.passes(shape, seen * length, length, "bf16" if training.precision == "bf16" else "fp32")


def predicting(task: TaskSpec, towers: Towers, examples: int) -> Work:
    """The predictions for so many items, with their captions, and their scores."""
    work = Work(seconds=READ_SECONDS * examples) + costs.scoring(task, examples, False)
    for shape, length in towers:
        work += costs.loading(shape) + costs.passes(shape, examples * length, length, None)
    return work
