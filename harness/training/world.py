"""The processes that pretrain one model, and what they exchange. Imports torch: import it inside functions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.parallel import DistributedDataParallel

from harness.core.launched import launched
from harness.training.devices import pick_device
from harness.training.processes import meet


@dataclass(frozen=True)
class World:
    """This process's device, its number among those that train together, from 0, and how many they are."""

    device: torch.device
    rank: int = 0
    size: int = 1

    @classmethod
    def joined(cls) -> World:
        """As `torchrun` has started this process: alone, or with others, which it meets. Each has a GPU of its own."""
        device, here = pick_device(), launched("pretrain")
        if here.count == 1:
            return cls(device)
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ.get("LOCAL_RANK") or 0) % torch.cuda.device_count())
            torch.cuda.set_device(device)
        if not torch.distributed.is_initialized():
            meet(device.type == "cuda")
        return cls(device, here.number, here.count)

    @property
    def is_first(self) -> bool:
        """Whether this process plans, speaks and writes."""
        return self.rank == 0

    def replicated(self, module: torch.nn.Module, in_step: bool = True) -> torch.nn.Module:
        """The module on the device; where `in_step`, its gradients are the mean over all processes."""
        module.to(self.device)
        if self.size == 1 or not in_step:
            return module
        return DistributedDataParallel(module, device_ids=[self.device] if self.device.type == "cuda" else None)

    def from_first(self, values: Sequence[float]) -> list[float]:
        """The first process's numbers."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        torch.distributed.broadcast(shared, 0)
        return shared.tolist()

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Of the processes' numbers."""
        if self.size == 1:
            return value
        torch.distributed.all_reduce(value)
        return value / self.size

    def gathered(self, values: torch.Tensor) -> torch.Tensor:
        """The tensors (b, …) of all processes, of one shape, as (size × b, …), without gradients."""
        values = values.detach()
        if self.size == 1:
            return values
        every = [torch.empty_like(values) for _ in range(self.size)]
        torch.distributed.all_gather(every, values.contiguous())
        return torch.cat(every)

    def add_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Give each parameter the sum of its gradients in all processes."""
        if self.size == 1:
            return
        for parameter in parameters:
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                torch.distributed.all_reduce(parameter.grad)

    def wait(self) -> None:
        """For all the others."""
        if self.size > 1:
            torch.distributed.barrier()
