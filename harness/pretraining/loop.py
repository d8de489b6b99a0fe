"""The pretraining loop. Imports torch: import it inside functions.

A loop of its own and not the HF Trainer's, for three reasons: a step here is a pure function of (seed, step), so that a
run resumes to the same bits; checkpoints are safetensors, where the Trainer's are pickles; and the learning rate and
the number of steps follow from a wall-clock budget. `accelerate` below it brings GPUs, bf16, DDP and trackers.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator

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
FEW_BLOCKS = 16
"""Held-out blocks for scores that take many passes a block."""
HELD_OUT_SEED, DATA_SEED = 1, 2


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
    those of an unbroken run. Under `torchrun` each process takes an equal part of every batch. `peak_flops` (FLOP/s of
    one process) turns speed into a share of it. `trackers` are names `accelerate` knows: wandb, tensorboard, mlflow.

    Raises:
        HarnessError: the batch cannot be shared equally, or the loss is not a finite number.
        DamagedFile: the checkpoint is not what was written.
    """
    on_gpu = torch.cuda.is_available()
    accelerator = Accelerator(
        cpu=not on_gpu,
        mixed_precision="bf16" if precision == "bf16" else "no",
        log_with=list(trackers) or None,
        project_dir=tracking,
        step_scheduler_with_optimizer=False,
    )
    processes, rank = accelerator.num_processes, accelerator.process_index
    parts = processes * spec.accumulate
    if spec.batch_size % parts:
        raise HarnessError(
            f"batch_size {spec.batch_size} cannot be shared by {processes} processes with accumulate {spec.accumulate}"
        )
    torch.manual_seed(spec.seed)
    losses = Losses(model, objective)
    optimizer = torch.optim.AdamW(_groups(model, spec.weight_decay), lr=spec.learning_rate, fused=True)
    order = BlockOrder(len(blocks), spec.batch_size, spec.seed)
    wrapped, optimizer = accelerator.prepare(losses, optimizer)
    plain = accelerator.unwrap_model(wrapped)
    plain_optimizer = getattr(optimizer, "optimizer", optimizer)
    tokens_a_step = spec.batch_size * objective.block_size
    wrapped.train()
    if trackers:
        accelerator.init_trackers("harness", config=spec.model_dump(mode="json", exclude={"options"}))

    def one_step(step: int, steps: int) -> torch.Tensor:
        random = np.random.default_rng([spec.seed, DATA_SEED, step])
        batch = objective.corrupt(np.asarray(blocks[order.at(step)], dtype=np.int64), random)
        share = rate(spec.schedule, step, steps, spec.warmup_ratio, spec.decay_ratio)
        for group in optimizer.param_groups:
            group["lr"] = spec.learning_rate * share
        total = torch.zeros((), device=accelerator.device)
        size = spec.batch_size // parts
        for micro in range(spec.accumulate):
            start = (rank * spec.accumulate + micro) * size
            part = {
                name: torch.from_numpy(np.ascontiguousarray(rows[start : start + size])).to(
                    accelerator.device, non_blocking=True
                )
                for name, rows in batch.items()
            }
            last = micro == spec.accumulate - 1
            with _synchronized(accelerator, wrapped, last):
                loss = wrapped(part)
                accelerator.backward(loss / spec.accumulate)
            total += loss.detach().float() / spec.accumulate
        accelerator.clip_grad_norm_(wrapped.parameters(), spec.max_grad_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return accelerator.reduce(total, "mean") if processes > 1 else total

    place = state.latest(checkpoints) if resume else None
    if place is not None:
        progress = state.load(place, plain.model, plain_optimizer)
    else:
        progress = state.Progress(
            steps=_steps(spec, tokens_a_step, plain.model, plain_optimizer, one_step, accelerator)
        )
    resumed_from = progress.step
    clock, told = time.perf_counter() - progress.seconds, 0.0
    pending: list[torch.Tensor] = []
    speed_from = (time.perf_counter(), progress.step)
    weights_in_use = _weights_in_use(plain.model)

    def settle() -> None:
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

    while progress.step < progress.steps:
        pending.append(one_step(progress.step, progress.steps))
        progress.step += 1
        now = time.perf_counter()
        at_checkpoint = progress.step % spec.checkpoint_every == 0 and progress.step < progress.steps
        if now - told >= REPORT_EVERY or at_checkpoint or progress.step == progress.steps:
            settle()
            told = now
            speed = (progress.step - speed_from[1]) * tokens_a_step / max(1e-9, time.perf_counter() - speed_from[0])
            flops = 6 * weights_in_use * speed / processes
            report(
                Pace(
                    progress.step,
                    progress.steps,
                    progress.losses[-1],
                    speed,
                    flops / peak_flops if peak_flops else None,
                )
            )
            if trackers:
                values = {
                    "loss": progress.losses[-1],
                    "tokens_per_second": speed,
                    "tokens": progress.step * tokens_a_step,
                }
                accelerator.log(values | {"learning_rate": optimizer.param_groups[0]["lr"]}, step=progress.step)
        if at_checkpoint:
            progress.seconds = time.perf_counter() - clock
            if accelerator.is_main_process:
                state.save(checkpoints, plain.model, plain_optimizer, progress)
            accelerator.wait_for_everyone()
    if trackers:
        accelerator.end_training()
    return Outcome(
        steps=progress.steps,
        losses=progress.losses,
        tokens=progress.steps * tokens_a_step,
        seconds=time.perf_counter() - clock,
        precision=precision,
        device=accelerator.device.type,
        processes=processes,
        resumed_from=resumed_from,
    )


def _synchronized(accelerator: Accelerator, wrapped: Any, last: bool) -> Any:
    """Gradients are exchanged once a step, with the last micro-batch."""
    from contextlib import nullcontext

    return nullcontext() if last else accelerator.no_sync(wrapped)


def _steps(
    spec: PretrainingSpec,
    tokens_a_step: int,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    one_step: Callable[[int, int], Any],
    accelerator: Accelerator,
) -> int:
    """How many steps the spec asks for; a wall-clock budget is turned into steps by a probe that leaves no trace."""
    if spec.steps is not None:
        return spec.steps
    if spec.tokens is not None:
        return max(1, round(spec.tokens / tokens_a_step))
    assert spec.seconds is not None
    started = time.perf_counter()
    before = copy.deepcopy(model.state_dict())
    random = torch.get_rng_state()
    untimed, timed = PROBE_STEPS
    for step in range(untimed):
        one_step(step, 1000)
    clock = time.perf_counter()
    for step in range(untimed, untimed + timed):
        float(one_step(step, 1000))
    per_step = (time.perf_counter() - clock) / timed
    model.load_state_dict(before)
    optimizer.state.clear()
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


@torch.no_grad()
def evaluate(
    model: torch.nn.Module, objective: Objective, blocks: np.ndarray, seed: int, batch_size: int
) -> dict[str, dict[str, Any]]:
    """Scores of held-out blocks, each with value, bootstrap 95 % interval over blocks, n, and what chance scores."""
    if len(blocks) == 0:
        return {}
    model.eval()
    device = next(model.parameters()).device
    collected: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for start in range(0, len(blocks), batch_size):
        random = np.random.default_rng([seed, HELD_OUT_SEED, start])
        batch = objective.corrupt(np.asarray(blocks[start : start + batch_size], dtype=np.int64), random)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(rows)).to(device) for name, rows in batch.items()}
        for name, ratio in objective.measure(model, tensors).items():
            collected.setdefault(name, []).append(ratio)
    sums = {
        name: tuple(np.concatenate([part[side] for part in parts]) for side in (0, 1))
        for name, parts in collected.items()
    }
    few = np.asarray(blocks[:FEW_BLOCKS], dtype=np.int64)
    return summarize(sums | objective.measure_few(model, few), objective)


def summarize(sums: dict[str, Any], objective: Objective, resamples: int = 1000) -> dict[str, dict[str, Any]]:
    """Quotients of sums with percentile bootstrap intervals over examples."""
    scores: dict[str, dict[str, Any]] = {}
    for name, (above, below) in sums.items():
        n = len(above)
        draws = np.random.default_rng(0).integers(0, n, (resamples, n))

        def quotient(a: Any, b: Any, name: str = name) -> Any:
            value = np.divide(a, b, out=np.zeros_like(np.asarray(a, dtype=float)), where=np.asarray(b) > 0)
            return np.exp(np.minimum(value, 700)) if name in objective.perplexities else value

        low, high = np.quantile(quotient(above[draws].sum(1), below[draws].sum(1)), [0.025, 0.975])
        value = float(quotient(above.sum(), below.sum()))
        scores[name] = {
            "value": value, "low": min(float(low), value), "high": max(float(high), value), "level": 0.95,
            "n": n, "over": "held-out blocks", "greater_is_better": name not in objective.lower_is_better,
        }  # fmt: skip
    for name, chance in objective.chance({name: one["value"] for name, one in scores.items()}).items():
        scores[name]["chance"] = chance
    return scores
