"""The pretraining loop. Imports torch: import it inside functions.

A loop of its own and not the HF Trainer's, for three reasons: a step here is a pure function of (seed, step), so that a
run resumes to the same bits; checkpoints are safetensors, where the Trainer's are pickles; and the learning rate and
the number of steps follow from a wall-clock budget. `accelerate` below it brings GPUs, bf16, DDP and trackers.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState

from harness.errors import HarnessError
from harness.objectives import Objective
from harness.pretraining import state
from harness.pretraining.blocks import BlockOrder
from harness.pretraining.schedules import rate
from harness.specs import PretrainingSpec

NO_DECAY = ("bias", "norm", "layer_norm", "layernorm", "ln_")
PROBE_STEPS = (2, 6)
"""Untimed and timed steps that turn a wall-clock budget into a number of steps."""
BUDGET_SHARE = 0.9
"""Of a budget so much is trained; the rest is for loading, checkpoints and scoring."""
REPORT_EVERY = 0.5
DATA_SEED = 2


@dataclass(frozen=True)
class Pace:
    """How a pretraining goes: what a progress line says."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    flops_share: float | None

    def __str__(self) -> str:
        share = f", {100 * self.flops_share:.0f} % of the GEMM rate" if self.flops_share else ""
        return f"step {self.step}/{self.steps}, loss {self.loss:.3f}, {self.tokens_per_second:,.0f} tokens/s{share}"


@dataclass(frozen=True)
class Outcome:
    """What a pretraining did. `losses` (steps,) is the mean loss of each step over its whole batch."""

    steps: int
    losses: list[float]
    tokens: int
    seconds: float
    precision: str
    device: str
    processes: int
    resumed_from: int


class Losses(torch.nn.Module):
    """Model and objective as one module, whose forward is the loss: what DDP must wrap to see it."""

    def __init__(self, model: torch.nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self._objective = objective

    def forward(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        return self._objective.loss(self.model, batch)


class Stepper:
    """One optimizer step after the other, each a pure function of (seed, step) and the weights before it.

    Under `torchrun` each process takes an equal part of every batch. Raises HarnessError where it cannot be shared
    equally.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        objective: Objective,
        blocks: np.ndarray,
        spec: PretrainingSpec,
        accelerator: Accelerator,
    ) -> None:
        parts = accelerator.num_processes * spec.accumulate
        if spec.batch_size % parts:
            raise HarnessError(
                f"batch_size {spec.batch_size} cannot be shared by {accelerator.num_processes} processes with "
                f"accumulate {spec.accumulate}"
            )
        self._spec, self._objective, self._blocks, self._accelerator = spec, objective, blocks, accelerator
        self._rows = spec.batch_size // parts
        self._order = BlockOrder(len(blocks), spec.batch_size, spec.seed)
        torch.manual_seed(spec.seed)
        losses = Losses(model, objective)
        optimizer = torch.optim.AdamW(_groups(model, spec.weight_decay), lr=spec.learning_rate, fused=True)
        self._wrapped, self._optimizer = accelerator.prepare(losses, optimizer)
        self._wrapped.train()
        self.model: torch.nn.Module = accelerator.unwrap_model(self._wrapped).model
        self.optimizer: torch.optim.Optimizer = getattr(self._optimizer, "optimizer", self._optimizer)
        self.tokens = spec.batch_size * objective.block_size

    @property
    def learning_rate(self) -> float:
        return self._optimizer.param_groups[0]["lr"]

    def __call__(self, step: int, steps: int) -> torch.Tensor:
        """Take step `step` of `steps`. Returns the mean loss of the whole batch, a scalar on the device."""
        spec, accelerator = self._spec, self._accelerator
        random = np.random.default_rng([spec.seed, DATA_SEED, step])
        rows = np.asarray(self._blocks[self._order.at(step)], dtype=np.int64)
        batch = self._objective.corrupt(rows, random)
        share = rate(spec.schedule, step, steps, spec.warmup_ratio, spec.decay_ratio)
        for group in self._optimizer.param_groups:
            group["lr"] = spec.learning_rate * share
        total = torch.zeros((), device=accelerator.device)
        for micro in range(spec.accumulate):
            last = micro == spec.accumulate - 1
            with _synchronized(accelerator, self._wrapped, last):
                loss = self._wrapped(self._part(batch, accelerator.process_index * spec.accumulate + micro))
                accelerator.backward(loss / spec.accumulate)
            total += loss.detach().float() / spec.accumulate
        accelerator.clip_grad_norm_(self._wrapped.parameters(), spec.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return accelerator.reduce(total, "mean") if accelerator.num_processes > 1 else total

    def _part(self, batch: Mapping[str, np.ndarray], number: int) -> dict[str, torch.Tensor]:
        own = slice(number * self._rows, (number + 1) * self._rows)
        return {
            name: torch.from_numpy(np.ascontiguousarray(rows[own])).to(self._accelerator.device, non_blocking=True)
            for name, rows in batch.items()
        }


def train(
    model: torch.nn.Module,
    objective: Objective,
    blocks: np.ndarray,
    spec: PretrainingSpec,
    precision: str,
    checkpoints: Path,
    report: Callable[[Pace], None],
    peak_flops: float | None = None,
    trackers: Sequence[str] = (),
    tracking: Path | None = None,
    resume: bool = True,
) -> Outcome:
    """Train `model` in place on blocks (n, raw_size).

    Goes on from the newest checkpoint in the folder `checkpoints` where `resume`; the loss curve and the weights are
    those of an unbroken run. `peak_flops` (FLOP/s of one process) turns speed into a share of it. `trackers` are names
    `accelerate` knows: wandb, tensorboard, mlflow.

    Raises:
        HarnessError: the batch cannot be shared equally, or the loss is not a finite number.
        DamagedFile: the checkpoint is not what was written.
    """
    AcceleratorState._reset_state()  # a training in this process before may have had another precision
    accelerator = Accelerator(
        cpu=not torch.cuda.is_available(),
        mixed_precision="bf16" if precision == "bf16" else "no",
        log_with=list(trackers) or None,
        project_dir=tracking,
        step_scheduler_with_optimizer=False,
    )
    stepper = Stepper(model, objective, blocks, spec, accelerator)
    if trackers:
        accelerator.init_trackers("harness", config=spec.model_dump(mode="json", exclude={"options"}))
    place = state.latest(checkpoints) if resume else None
    if place is not None:
        progress = state.load(place, stepper.model, stepper.optimizer)
    else:
        progress = state.Progress(steps=_steps(spec, stepper, accelerator))
    resumed_from = progress.step
    clock, told = time.perf_counter() - progress.seconds, 0.0
    started = time.perf_counter()
    weights = _weights_in_use(stepper.model)
    pending: list[torch.Tensor] = []
    while progress.step < progress.steps:
        pending.append(stepper(progress.step, progress.steps))
        progress.step += 1
        now = time.perf_counter()
        at_checkpoint = progress.step % spec.checkpoint_every == 0 and progress.step < progress.steps
        if now - told >= REPORT_EVERY or at_checkpoint or progress.step == progress.steps:
            _settle(pending, progress, spec)
            told = now
            speed = (progress.step - resumed_from) * stepper.tokens / max(1e-9, time.perf_counter() - started)
            share = 6 * weights * speed / accelerator.num_processes / peak_flops if peak_flops else None
            report(Pace(progress.step, progress.steps, progress.losses[-1], speed, share))
            if trackers:
                values = {
                    "loss": progress.losses[-1],
                    "tokens_per_second": speed,
                    "tokens": progress.step * stepper.tokens,
                    "learning_rate": stepper.learning_rate,
                }
                accelerator.log(values, step=progress.step)
        if at_checkpoint:
            progress.seconds = time.perf_counter() - clock
            if accelerator.is_main_process:
                state.save(checkpoints, stepper.model, stepper.optimizer, progress)
            accelerator.wait_for_everyone()
    if trackers:
        accelerator.end_training()
    return Outcome(
        steps=progress.steps,
        losses=progress.losses,
        tokens=progress.steps * stepper.tokens,
        seconds=time.perf_counter() - clock,
        precision=precision,
        device=accelerator.device.type,
        processes=accelerator.num_processes,
        resumed_from=resumed_from,
    )


def _settle(pending: list[torch.Tensor], progress: state.Progress, spec: PretrainingSpec) -> None:
    """Read the losses of the steps since the last time: on a GPU each reading waits for it."""
    values = torch.stack(pending).tolist() if pending else []
    pending.clear()
    for value in values:
        progress.losses.append(value)
        if not np.isfinite(value):
            raise HarnessError(
                f"pretraining diverged: the loss of step {len(progress.losses)} of {progress.steps} is {value}; "
                f"lower the learning rate (it is {spec.learning_rate:g})"
            )


def _synchronized(accelerator: Accelerator, wrapped: Any, last: bool) -> Any:
    """Gradients are exchanged once a step, with the last micro-batch."""
    from contextlib import nullcontext

    return nullcontext() if last else accelerator.no_sync(wrapped)


def _steps(spec: PretrainingSpec, stepper: Stepper, accelerator: Accelerator) -> int:
    """How many steps the spec asks for; a wall-clock budget is turned into steps by a probe that leaves no trace."""
    if spec.steps is not None:
        return spec.steps
    if spec.tokens is not None:
        return max(1, round(spec.tokens / stepper.tokens))
    assert spec.seconds is not None
    started = time.perf_counter()
    before = copy.deepcopy(stepper.model.state_dict())
    random = torch.get_rng_state()
    untimed, timed = PROBE_STEPS
    for step in range(untimed):
        stepper(step, 1000)
    clock = time.perf_counter()
    for step in range(untimed, untimed + timed):
        float(stepper(step, 1000))
    per_step = (time.perf_counter() - clock) / timed
    stepper.model.load_state_dict(before)
    stepper.optimizer.state.clear()
    torch.set_rng_state(random)
    left = BUDGET_SHARE * spec.seconds - (time.perf_counter() - started)
    steps = torch.tensor(max(1, int(left / per_step)), device=accelerator.device)
    if accelerator.num_processes > 1:
        torch.distributed.broadcast(steps, 0)
    return int(steps)


def _groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Biases and norms are not decayed."""
    decayed: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        exempt = parameter.ndim < 2 or any(part in name.lower() for part in NO_DECAY)
        (others if exempt else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _weights_in_use(model: torch.nn.Module) -> int:
    """Parameters that every token is multiplied with: all but embedding tables and tied heads."""
    tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
    return sum(parameter.numel() for parameter in model.parameters() if id(parameter) not in tables)
