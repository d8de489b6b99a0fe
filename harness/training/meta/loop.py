"""The outer loop of meta-training: of any problem, resumable to the same bits. Imports torch at its top.

A step is a function of the weights, the optimizer's state and its number alone: episodes are drawn by seed and step,
and nothing is dropped out.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from harness.core.errors import DamagedFileError, HarnessError
from harness.core.meta_spec import MetaSpec
from harness.core.text import say
from harness.training import optimizers, state
from harness.training.meta.classifier import shared_weights
from harness.training.meta.methods import Episode, InnerLoop, Problem, outer_gradients
from harness.training.pretraining.schedules import rate
from harness.training.step_plan import Plan


@dataclass(frozen=True)
class Outcome:
    """What a meta-training did: the loss of each step, seconds, and the step it was resumed from."""

    losses: list[float]
    seconds: float
    resumed_from: int


def train(
    model: nn.Module,
    problem: Problem,
    episodes: Callable[[int], Sequence[Episode]],
    spec: MetaSpec,
    checkpoints: Path | None = None,
    report: Callable[[int, float], None] = lambda step, loss: None,
    resume: bool = True,
) -> Outcome:
    """Train the weights of `model`, which `problem` is about, in place.

    Args:
        model: What holds the shared weights.
        problem: What they lose on an episode.
        episodes: Those of a step, by its number from 0.
        spec: The method, the steps and their rates.
        checkpoints: A folder to go on from, and to write to; none is kept where left out.
        report: Told the number of steps done and the loss of the last.
        resume: Go on from the newest sound checkpoint; else what is there is removed.

    Returns:
        The losses and the time.

    Raises:
        HarnessError: the loss is not a finite number.
        DamagedFileError: the checkpoint is not what was written.
    """
    weights = shared_weights(model)
    optimizer = torch.optim.AdamW(optimizers.groups(model, spec.weight_decay), lr=spec.learning_rate)
    progress = state.Progress(Plan.of_steps(spec.steps))
    if checkpoints is not None and not resume:
        shutil.rmtree(checkpoints, ignore_errors=True)
    place = None if checkpoints is None else state.latest(checkpoints, _say_damaged)
    if place is not None:
        progress = state.load(place, model, optimizer)
    resumed_from, before, started = progress.step, progress.seconds, time.perf_counter()
    inner = InnerLoop(spec.inner_steps, spec.inner_rate)
    while progress.step < spec.steps:
        step = progress.step
        for group in optimizer.param_groups:
            group["lr"] = spec.learning_rate * rate("linear", step, spec.steps, spec.warmup_ratio, 0.0)
        gradients, loss = outer_gradients(spec.method, problem, weights, episodes(step), inner)
        if not math.isfinite(loss):
            raise HarnessError(
                f"meta-training diverged: the loss of step {step + 1} of {spec.steps} is {loss}; lower inner_rate (it "
                f"is {spec.inner_rate:g}) or learning_rate (it is {spec.learning_rate:g})"
            )
        for name, weight in weights.items():
            weight.grad = gradients.get(name)
        nn.utils.clip_grad_norm_(list(weights.values()), spec.max_grad_norm)
        optimizer.step()
        progress.losses.append(loss)
        progress.step += 1
        report(progress.step, loss)
        if checkpoints is not None and progress.step % spec.checkpoint_every == 0 and progress.step < spec.steps:
            progress.seconds = before + time.perf_counter() - started
            state.save(checkpoints, model, optimizer, progress)
    optimizer.zero_grad(set_to_none=True)
    return Outcome(progress.losses, before + time.perf_counter() - started, resumed_from)


def _say_damaged(error: DamagedFileError) -> None:
    say(f"damaged: {error}; this checkpoint is not used")
