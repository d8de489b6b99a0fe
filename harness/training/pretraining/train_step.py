"""One step of pretraining. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import numpy as np
import torch
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
from harness.training.optimizers import groups, optimizer
from harness.training.pretraining.blocks import BlockOrder
from harness.training.pretraining.schedules import rate
from harness.training.pretraining.whole_batch import backward
from harness.training.recomputing import recompute_activations
from harness.training.sharding import gathered_again, shard
from harness.training.world import World

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
        precision: str,
        world: World,
        sharded: bool = False,
        deferred: DeferredWeights | None = None,
    ) -> None:
        parts = world.size * spec.accumulate
        if spec.batch_size % parts:
            raise HarnessError(
                f"batch_size {spec.batch_size} cannot be shared by {world.size} processes with "
                f"accumulate {spec.accumulate}"
            )
        if sharded and objective.whole_batch:
            raise HarnessError(
                f"objective {spec.objective} compares a whole batch, and is not sharded; leave out --fsdp"
            )
        if sharded and spec.optimizer == "adafactor":
            raise HarnessError("adafactor keeps means of rows and columns and cannot be sharded; use optimizer: adamw")
        self._spec, self._objective, self._blocks, self._world = spec, objective, blocks, world
        self._rows = spec.batch_size // parts
        self._order = BlockOrder(len(blocks), spec.batch_size, spec.seed)
        torch.manual_seed(spec.seed)
        losses = Losses(model, objective)
        if spec.gradient_checkpointing:
            recompute_activations(model)
        if sharded:
            shard(losses, world.device, deferred, ("measure", "measure_few", "try_out"))
        losses.try_out()
        losses.release()
        self.optimizer = optimizer(spec.optimizer, groups(model, spec.weight_decay), spec.learning_rate)
        self._sharded = sharded
        self._wrapped: Any = losses if sharded else world.replicated(losses, in_step=not objective.whole_batch)
        self._wrapped.train()
        self._autocast = partial(torch.autocast, world.device.type, torch.bfloat16, enabled=precision == "bf16")
        if spec.compile:
            losses.compile(dynamic=False)
        self._adversary = None
        if spec.adversarial is not None:
            reader = Reader(objective.loss, objective.outputs)
            self._adversary = Adversary(spec.adversarial, reader, spec.seed)
        self.losses = losses
        self._parameters = list(losses.parameters())
        self.model: torch.nn.Module = losses.model
        self.tokens = spec.batch_size * objective.example_size

    @property
    def learning_rate(self) -> float:
        return self.optimizer.param_groups[0]["lr"]

    def __call__(self, step: int, place: float, steps: int) -> torch.Tensor:
        """Take step `step`, with the learning rate that a schedule over `steps` has at `place`.

        Returns the mean loss of the whole batch, a scalar on the device.
        """
        spec, world = self._spec, self._world
        if world.size > 1:
            seed_dropout(DROPOUT_SEED, spec.seed, step, world.rank)
        random = np.random.default_rng([spec.seed, DATA_SEED, step])
        rows = np.asarray(self._blocks[self._order.at(step)], dtype=np.int64)
        batch = self._objective.corrupt(rows, random)
        fraction = rate(spec.schedule, place, steps, spec.warmup_ratio, spec.decay_ratio)
        for group in self.optimizer.param_groups:
            group["lr"] = spec.learning_rate * fraction
        loss = self._whole(batch) if self._objective.whole_batch else self._by_parts(batch, step)
        torch.nn.utils.clip_grad_norm_(self._parameters, spec.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._objective.after_step(self.model)
        return loss

    def _whole(self, batch: Mapping[str, np.ndarray]) -> torch.Tensor:
        first = self._world.rank * self._spec.accumulate
        parts = [self._part(batch, first + micro) for micro in range(self._spec.accumulate)]
        return backward(self._objective, self.model, parts, self._world, self._autocast)

    def _by_parts(self, batch: Mapping[str, np.ndarray], step: int) -> torch.Tensor:
        """The mean loss of the whole batch, whose gradients are added one micro-batch after the other."""
        spec, world = self._spec, self._world
        total = torch.zeros((), device=world.device)
        for micro in range(spec.accumulate):
            last = micro == spec.accumulate - 1
            with self._exchanging(last):
                number = world.rank * spec.accumulate + micro
                loss = self._loss(self._part(batch, number), step, number * self._rows)
                (loss / spec.accumulate).backward()
            total += loss.detach().float() / spec.accumulate
        return world.mean(total)

    def _exchanging(self, last: bool) -> AbstractContextManager[None]:
        """Processes exchange gradients once a step, with the last micro-batch."""
        if self._sharded:
            self._wrapped.set_requires_gradient_sync(last)
        return nullcontext() if last or self._sharded or self._world.size == 1 else self._wrapped.no_sync()

    def _loss(self, batch: dict[str, torch.Tensor], step: int, first: int) -> torch.Tensor:
        with self._autocast():
            if self._adversary is None:
                loss: torch.Tensor = self._wrapped(batch)
            else:
                loss = self._adversary.loss(
                    self._wrapped, lambda term: (term / self._spec.accumulate).backward(),
                    self.model, batch, step, (first, 1),
                )  # fmt: skip
        return loss.float()

    def _part(self, batch: Mapping[str, np.ndarray], number: int) -> dict[str, torch.Tensor]:
        chunk = slice(number * self._rows, (number + 1) * self._rows)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(rows[chunk])) for name, rows in batch.items()}
        if self._world.device.type == "cpu":
            return tensors
        return {  # from pinned memory, so that the next batch is made while the GPU computes
            name: tensor.pin_memory().to(self._world.device, non_blocking=True) for name, tensor in tensors.items()
        }
