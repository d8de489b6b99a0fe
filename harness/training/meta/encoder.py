"""Meta-training of an encoder of `transformers` on tasks with classes. Imports torch at its top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.core.families import FAMILIES, Labelling
from harness.core.meta_spec import MetaSpec
from harness.modeling.inference.batching import DataCollator
from harness.modeling.inference.first_position import first_position
from harness.modeling.weights.loading import config_of, load_tokenizer, load_weights
from harness.modeling.weights.positions import positions_of
from harness.training.devices import pick_device
from harness.training.meta import loop
from harness.training.meta.classifier import (
    PROBE,
    EpisodeClassifier,
    Examples,
    Generator,
    examples,
    without_output_layer,
)
from harness.training.meta.episodes import GENERATOR_FILE, Draw, EpisodeSampler, TrainingTask
from harness.training.meta.methods import Episode

CLASSIFIER = "AutoModelForSequenceClassification"


@dataclass(frozen=True)
class MetaTrained:
    """What came out: the encoder, its tokenizer, what the outer loop did, and the weights that are no part of it.

    `tokens` are those of all episodes.
    """

    encoder: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    outcome: loop.Outcome
    dropped: tuple[str, ...]
    generator: Generator | None
    tokens: int
    device: str

    def save(self, folder: Path) -> None:
        """As a `save_pretrained` folder."""
        self.encoder.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)
        if self.generator is not None:
            save_file(self.generator.state_dict(), folder / GENERATOR_FILE)


class EncodedEpisodes:
    """The episodes of a step as batches of token ids. Where each task keeps its output layer, classes are numbered
    as in their task, and not within the episode.
    """

    def __init__(
        self, tasks: Sequence[TrainingTask], spec: MetaSpec, tokenizer: PreTrainedTokenizerBase, limit: int,
        device: torch.device,
    ) -> None:  # fmt: skip
        self._tasks, self._count = tasks, spec.episodes
        self._own_heads = spec.keeps_heads
        self._sampler = EpisodeSampler(tasks, spec)
        self._rows = [encoded(task, tokenizer, limit) for task in tasks]
        self._pad, self._device = DataCollator.of(tokenizer, device), device

    def __call__(self, step: int) -> list[Episode]:
        return [self._episode(self._sampler.draw(step, number)) for number in range(self._count)]

    def tokens(self, steps: int) -> int:
        """Those of the episodes of so many steps."""
        draws = (self._sampler.draw(step, number) for step in range(steps) for number in range(self._count))
        lengths = [[len(row["input_ids"]) for row in rows] for rows in self._rows]
        return sum(lengths[draw.task][row] for draw in draws for row, _ in (*draw.support, *draw.query))

    def _episode(self, draw: Draw) -> Episode:
        return Episode(self._tasks[draw.task].name, self._batch(draw, draw.support), self._batch(draw, draw.query))

    def _batch(self, draw: Draw, chosen: Sequence[tuple[int, int]]) -> Examples:
        labels = [draw.classes[label] if self._own_heads else label for _, label in chosen]
        classes = len(self._tasks[draw.task].labels) if self._own_heads else len(draw.classes)
        rows = [self._rows[draw.task][row] for row, _ in chosen]
        return examples(rows, labels, classes, self._pad, self._device)


def meta_train(
    folder: Path,
    tasks: Sequence[TrainingTask],
    spec: MetaSpec,
    checkpoints: Path | None,
    report: Callable[[int, float], None] = lambda step, loss: None,
    resume: bool = True,
) -> MetaTrained:
    """Train the encoder of a folder on episodes of tasks.

    Args:
        folder: A `save_pretrained` folder.
        tasks: Those that episodes are of.
        spec: How.
        checkpoints: A folder to go on from; None to keep nothing.
        report: Told the number of steps done and the loss of the last.
        resume: Go on from the newest sound checkpoint.

    Returns:
        The encoder and what became of it.

    Raises:
        HarnessError: a task without enough examples, a model without an output layer to replace, or a loss that is no
            number.
        DamagedFileError: a checkpoint is not what was written.
    """
    device = pick_device()
    tokenizer = load_tokenizer(folder)
    torch.manual_seed(spec.seed)
    # Fused attention has no second derivative.
    body = load_weights(CLASSIFIER, folder, new_head=True, num_labels=PROBE, attn_implementation="eager")
    kept = {f"{body.base_model_prefix}.{name}" for name in body.base_model.state_dict()}
    dropped = tuple(name for name in body.state_dict() if name not in kept)
    width = without_output_layer(body)
    heads = {task.name: len(task.labels) for task in tasks} if spec.keeps_heads else None
    model = EpisodeClassifier(body, width, spec.head == "generated", heads).to(device)
    model.eval()
    limit = min(spec.max_length, positions_of(body, "encoder") or spec.max_length)
    episodes = EncodedEpisodes(tasks, spec, tokenizer, limit, device)
    with first_position(body):
        outcome = loop.train(model, model, episodes, spec, checkpoints, report, resume)
    model.cpu()
    encoder = cast(PreTrainedModel, body.base_model)
    encoder.config.num_labels = config_of(folder).num_labels
    return MetaTrained(encoder, tokenizer, outcome, dropped, model.generator, episodes.tokens(spec.steps), device.type)


def encoded(task: TrainingTask, tokenizer: PreTrainedTokenizerBase, limit: int) -> list[dict[str, Any]]:
    """The rows of a task's training split as a model's inputs."""
    columns = cast(Labelling, FAMILIES.get(task.task.family)).encode(tokenizer, task.train, limit)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
