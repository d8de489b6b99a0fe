"""The pretraining loop. Imports torch: import it inside functions.

A loop of its own and not the HF Trainer's, for three reasons: a step here is a pure function of (seed, step), so that a
run resumes to the same bits; checkpoints are safetensors, where the Trainer's are pickles; and the learning rate and
the number of steps follow from a wall-clock budget.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from harness.core.errors import DamagedFileError, HarnessError
from harness.core.pretraining_specs import PretrainingSpec
from harness.core.text import say
from harness.training import state
from harness.training.deferred import DeferredWeights
from harness.training.dropout import quick_dropout
from harness.training.encoder_layer import fused_layers
from harness.training.objectives import Objective
from harness.training.pretraining.activations import fused_activations
from harness.training.pretraining.train_step import Losses, TrainStep
from harness.training.sharding import tensors_of
from harness.training.step_plan import Plan
from harness.training.world import World

PROBE_STEPS = (2, 6)
"""Untimed and timed steps that turn a wall-clock budget into a first number of steps."""
REPORT_EVERY = 0.5


@dataclass(frozen=True)
class Throughput:
    """How a pretraining goes: what a progress line says."""

    step: int
    steps: int
    loss: float
    per_second: float
    flops_fraction: float | None
    unit: str = "tokens"

    def __str__(self) -> str:
        fraction = f", {100 * self.flops_fraction:.0f} % of the GEMM rate" if self.flops_fraction else ""
        return f"step {self.step}/{self.steps}, loss {self.loss:.3f}, {self.per_second:,.0f} {self.unit}/s{fraction}"


@dataclass(frozen=True)
class Outcome:
    """What a pretraining did. `losses` (steps,) is the mean loss of each step over its whole batch; `seconds` are those
    of training, `before` those of them before it was resumed. `trained` is the model with its objective, each process's
    part of it where it is sharded, otherwise None in a process that only helped.
    """

    trained: Losses | None
    plan: Plan
    steps: int
    losses: list[float]
    tokens: int
    seconds: float
    before: float
    precision: str
    device: str
    processes: int
    sharded: bool
    is_first: bool
    resumed_from: int


def train(
    model: torch.nn.Module,
    objective: Objective,
    blocks: np.ndarray,
    spec: PretrainingSpec,
    precision: str,
    checkpoints: Path,
    report: Callable[[Throughput], None],
    peak_flops: float | None = None,
    observe: Callable[[int, Mapping[str, float]], None] | None = None,
    held_out: Callable[[Losses], Mapping[str, float]] | None = None,
    resume: bool = True,
    sharded: bool = False,
    deferred: DeferredWeights | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Outcome:
    """Train `model` in place on blocks (n, raw_size); if `sharded`, each process keeps a part of it, and where its
    weights are `deferred` never had more.

    Goes on from the newest sound checkpoint in the folder `checkpoints` where `resume`, else removes what is there; the
    loss curve and the weights are
    those of an unbroken run. `peak_flops` (FLOP/s of one process) turns speed into a fraction of it. `observe`
    gets the loss of each step by its number, and at times more; of the first process, at each checkpoint, the scores
    that `held_out` gives the model. A wall-clock budget is the time of the training alone; `clock` tells seconds.

    Raises:
        HarnessError: the batch cannot be shared equally, or the loss is not a finite number.
        DamagedFileError: the checkpoint is not what was written.
    """
    world = World.joined()
    is_first = world.is_first
    train_step = TrainStep(model, objective, blocks, spec, precision, world, sharded, deferred)
    is_observed = bool(world.from_first([observe is not None and held_out is not None])[0])
    if is_first and not resume:
        shutil.rmtree(checkpoints, ignore_errors=True)

    def damaged(error: DamagedFileError) -> None:
        if is_first:
            say(f"damaged: {error}; this checkpoint is not used")

    place = state.latest(checkpoints, damaged) if resume else None
    if place is not None:
        progress = state.load(place, train_step.model, train_step.optimizer)
    else:
        progress = state.Progress(_planned(spec, train_step, world, clock))
    plan, resumed_from, before = progress.plan, progress.step, progress.seconds
    weights = _weights_in_use(train_step.model)
    started, reported, told_at = clock(), float("-inf"), progress.step
    pending: list[torch.Tensor] = []

    def tell() -> None:
        nonlocal reported, told_at
        _settle(pending, progress, spec)
        last, reported, told_at = told_at, clock(), progress.step
        speed = (progress.step - resumed_from) * train_step.tokens / max(1e-9, clock() - started)
        in_text = objective.unit == "tokens"
        fraction = 6 * weights * speed / world.size / peak_flops if peak_flops and in_text else None
        report(Throughput(progress.step, plan.steps, progress.losses[-1], speed, fraction, objective.unit))
        if observe is not None:
            for step in range(last + 1, progress.step):
                observe(step, {"loss": progress.losses[step - 1]})
            values = {objective.unit: progress.step * train_step.tokens, f"{objective.unit}_per_second": speed}
            rates = {"loss": progress.losses[-1], "learning_rate": train_step.learning_rate}
            observe(progress.step, rates | values)

    plain = world.size == 1 and not sharded and not spec.compile
    fused = fused_layers(train_step.model) if plain else nullcontext()
    dropping = nullcontext() if spec.compile else quick_dropout(train_step.model)
    with dropping, fused_activations(train_step.model), fused:
        while progress.step < plan.steps:
            if progress.step == plan.review_at:
                _settle(pending, progress, spec)
                plan.review(progress.step, *world.from_first([before + clock() - started]))
                continue
            pending.append(train_step(progress.step, plan.place, plan.first))
            plan.advance(progress.step)
            progress.step += 1
            at_checkpoint = progress.step % spec.checkpoint_every == 0 and progress.step < plan.steps
            if clock() - reported >= REPORT_EVERY or at_checkpoint:
                tell()
            if at_checkpoint:
                paused = clock()
                progress.seconds = before + paused - started
                if is_first or sharded:
                    state.save(checkpoints, train_step.model, train_step.optimizer, progress, is_first)
                if is_observed and held_out is not None and (is_first or sharded):
                    scores = _scored(train_step.losses, held_out)
                    if observe is not None and is_first:
                        observe(progress.step, scores)
                world.wait()
                plan.pause(*world.from_first([clock() - paused]))
    if told_at < progress.step:
        tell()
    seconds = before + clock() - started
    return Outcome(
        trained=train_step.losses if is_first or sharded else None,
        plan=plan,
        steps=progress.step,
        losses=progress.losses,
        tokens=progress.step * train_step.tokens,
        seconds=seconds,
        before=before,
        precision=precision,
        device=world.device.type,
        processes=world.size,
        sharded=sharded,
        is_first=is_first,
        resumed_from=resumed_from,
    )


def _scored(losses: Losses, held_out: Callable[[Losses], Mapping[str, float]]) -> Mapping[str, float]:
    """Scores of a model in training, which leave no trace in it."""
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        scores = held_out(losses)
    losses.train()
    return scores


def _settle(pending: list[torch.Tensor], progress: state.Progress, spec: PretrainingSpec) -> None:
    """Read the losses of the steps since the last time: on a GPU each reading waits for it."""
    values = torch.stack(pending).tolist() if pending else []
    pending.clear()
    for value in values:
        progress.losses.append(value)
        if not np.isfinite(value):
            raise HarnessError(
                f"pretraining diverged: the loss of step {len(progress.losses)} of {progress.plan.steps} is {value}; "
                f"lower the learning rate (it is {spec.learning_rate:g})"
            )


def _planned(spec: PretrainingSpec, train_step: TrainStep, world: World, clock: Callable[[], float]) -> Plan:
    """What the spec asks for; a wall-clock budget is first turned into steps by a probe that leaves no trace."""
    if spec.steps is not None:
        return Plan.of_steps(spec.steps)
    if spec.tokens is not None:
        return Plan.of_steps(max(1, round(spec.tokens / train_step.tokens)))
    assert spec.seconds is not None
    weights = {name: tensor.detach().clone() for name, tensor in tensors_of(train_step.model).items()}
    random = torch.get_rng_state()
    untimed, timed = PROBE_STEPS
    for step in range(untimed):
        float(train_step(step, step, 1000))
    probed = clock()
    for step in range(untimed, untimed + timed):
        float(train_step(step, step, 1000))
    now = clock()
    with torch.no_grad():
        for name, tensor in tensors_of(train_step.model).items():
            tensor.copy_(weights[name])
    train_step.optimizer.state.clear()
    torch.set_rng_state(random)
    seconds, per_step = world.from_first([spec.seconds, (now - probed) / timed])
    return Plan.of_seconds(seconds, per_step)


def _weights_in_use(model: torch.nn.Module) -> int:
    """Parameters that every token is multiplied with: all but embedding tables and tied heads."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    return sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in tables)
