"""One step of pretraining. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from torch.distributed.fsdp import FSDPModule

from harness.core.errors import HarnessError
from harness.core.pretraining_specs import PretrainingSpec
from harness.training.adversarial.adversary import Adversary
from harness.training.adversarial.passes import Reader
from harness.training.adversarial.perturbation import embeddings_of
from harness.training.deferred import DeferredWeights
from harness.training.dropout import seed_dropout
from harness.training.objectives import Objective
from harness.training.objectives.base import Ratios
from harness.training.optimizers import optimizer
from harness.training.pretraining.blocks import BlockOrder
from harness.training.pretraining.schedules import rate
from harness.training.recomputing import recompute_activations
from harness.training.sharding import gathered_again, shard

NO_DECAY = ("bias", "norm", "layer_norm", "layernorm", "ln_")
DATA_SEED = 2
DROPOUT_SEED = 3


class Losses(torch.nn.Module):
    """Model and objective as one module, whose forward is the loss: what DDP must wrap to see it."""

    def __init__(self, model: torch.nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self._objective = objective

    def forward(self, batch: dict[str, torch.Tensor], term: Any = None) -> torch.Tensor:
        if term is None:
            return self._objective.loss(self.model, batch)
        with gathered_again(self, embeddings_of(self.model)):
            loss: torch.Tensor = term(self.model, batch)
        return loss

    def measure(self, batch: dict[str, torch.Tensor]) -> Ratios:
        return self._objective.measure(self.model, batch)

    def measure_few(self, blocks: np.ndarray) -> Ratios:
        return self._objective.measure_few(self.model, blocks)

    def try_out(self) -> None:
        self._objective.try_out(self.model)

    def release(self) -> None:
        """Weights that were gathered for what was called last are let go."""
        if isinstance(self, FSDPModule):
            self.reshard()


class TrainStep:
    """One optimizer step after the other, each a pure function of (seed, step) and the weights before it.

    Under `torchrun` each process takes an equal part of every batch and, where `sharded`, keeps a part of every weight.
    Raises HarnessError where a batch cannot be shared equally, and where the optimizer's state cannot be.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        objective: Objective,
        blocks: np.ndarray,
        spec: PretrainingSpec,
        accelerator: Accelerator,
        sharded: bool = False,
        deferred: DeferredWeights | None = None,
    ) -> None:
        parts = accelerator.num_processes * spec.accumulate
        if spec.batch_size % parts:
            raise HarnessError(
                f"batch_size {spec.batch_size} cannot be shared by {accelerator.num_processes} processes with "
                f"accumulate {spec.accumulate}"
            )
        if sharded and spec.optimizer == "adafactor":
            raise HarnessError("adafactor keeps means of rows and columns and cannot be sharded; use optimizer: adamw")
        self._spec, self._objective, self._blocks, self._accelerator = spec, objective, blocks, accelerator
        self._rows = spec.batch_size // parts
        self._order = BlockOrder(len(blocks), spec.batch_size, spec.seed)
        torch.manual_seed(spec.seed)
        losses = Losses(model, objective)
        if spec.gradient_checkpointing:
            recompute_activations(model)
        if sharded:
            shard(losses, accelerator.device, deferred, ("measure", "measure_few", "try_out"))
        losses.try_out()
        losses.release()
        self.optimizer = optimizer(spec.optimizer, _groups(model, spec.weight_decay), spec.learning_rate)
        self._sharded = sharded
        self._wrapped: Any = losses
        self._optimizer: Any = self.optimizer
        if not sharded:
            self._wrapped, self._optimizer = accelerator.prepare(losses, self.optimizer)
        self._wrapped.train()
        if spec.compile:
            losses.compile(dynamic=False)
        self._adversary = None
        if spec.adversarial is not None:
            reader = Reader(objective.loss, objective.outputs)
            self._adversary = Adversary(spec.adversarial, reader, spec.seed)
        self.losses = losses
        self.model: torch.nn.Module = losses.model
        self.tokens = spec.batch_size * objective.block_size

    @property
    def learning_rate(self) -> float:
        return self._optimizer.param_groups[0]["lr"]

    def __call__(self, step: int, place: float, steps: int) -> torch.Tensor:
        """Take step `step`, with the learning rate that a schedule over `steps` has at `place`.

        Returns the mean loss of the whole batch, a scalar on the device.
        """
        spec, accelerator = self._spec, self._accelerator
        if accelerator.num_processes > 1:
            seed_dropout(DROPOUT_SEED, spec.seed, step, accelerator.process_index)
        random = np.random.default_rng([spec.seed, DATA_SEED, step])
        rows = np.asarray(self._blocks[self._order.at(step)], dtype=np.int64)
        batch = self._objective.corrupt(rows, random)
        fraction = rate(spec.schedule, place, steps, spec.warmup_ratio, spec.decay_ratio)
        for group in self._optimizer.param_groups:
            group["lr"] = spec.learning_rate * fraction
        total = torch.zeros((), device=accelerator.device)
        for micro in range(spec.accumulate):
            last = micro == spec.accumulate - 1
            with self._exchanging(last):
                number = accelerator.process_index * spec.accumulate + micro
                loss = self._loss(self._part(batch, number), step, number * self._rows)
                accelerator.backward(loss / spec.accumulate)
            total += loss.detach().float() / spec.accumulate
        accelerator.clip_grad_norm_(self._wrapped.parameters(), spec.max_grad_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return accelerator.reduce(total, "mean") if accelerator.num_processes > 1 else total

    def _exchanging(self, last: bool) -> AbstractContextManager[None]:
        """Processes exchange gradients once a step, with the last micro-batch."""
        if self._sharded:
            self._wrapped.set_requires_gradient_sync(last)
        return nullcontext() if last or self._sharded else self._accelerator.no_sync(self._wrapped)

    def _loss(self, batch: dict[str, torch.Tensor], step: int, first: int) -> torch.Tensor:
        with self._accelerator.autocast() if self._sharded else nullcontext():
            if self._adversary is None:
                return self._wrapped(batch)
            return self._adversary.loss(
                self._wrapped,
                lambda term: self._accelerator.backward(term / self._spec.accumulate),
                self.model, batch, step, (first, 1),
            )  # fmt: skip

    def _part(self, batch: Mapping[str, np.ndarray], number: int) -> dict[str, torch.Tensor]:
        chunk = slice(number * self._rows, (number + 1) * self._rows)
        return {
            name: torch.from_numpy(np.ascontiguousarray(rows[chunk])).to(self._accelerator.device, non_blocking=True)
            for name, rows in batch.items()
        }


def _groups(model: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Biases and norms are not decayed."""
    decayed: list[torch.nn.Parameter] = []
    others: list[torch.nn.Parameter] = []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        exempt = parameter.ndim < 2 or any(part in name.lower() for part in NO_DECAY)
        (others if exempt else decayed).append(parameter)
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
