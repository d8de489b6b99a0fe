"""Fine-tuning by several processes at once, each with a part of every batch, and of the weights where they are sharded.
Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parallel import DistributedDataParallel

from harness.training.adversarial.perturbation import embeddings_of
from harness.training.processes import Processes
from harness.training.sharding import gathered_again, shard

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from harness.training.deferred import DeferredWeights


Loss = Callable[[Any, Any], torch.Tensor]
"""Of a model and a batch."""


class SummedLoss(torch.nn.Module):
    """A model and a loss as one module: what exchanges gradients must see the whole of both."""

    def __init__(self, model: PreTrainedModel, loss: Loss) -> None:
        super().__init__()
        self.model = model
        self._loss = loss

    def forward(self, batch: dict[str, Any], term: Loss | None = None) -> torch.Tensor:
        if term is None:
            return self._loss(self.model, batch)
        with gathered_again(self, embeddings_of(self.model)):
            return term(self.model, batch)


def alone(loss: Loss) -> Callable[..., torch.Tensor]:
    """The loss of a batch in one process, or what is given in its place as the last argument."""
    return lambda model, batch, term=loss: term(model, batch)


def joined(
    model: PreTrainedModel,
    loss: Loss,
    processes: Processes,
    device: torch.device,
    deferred: DeferredWeights | None,
) -> Callable[..., torch.Tensor]:
    """The loss of a process's part of a batch, so that the gradients of all are those of the whole batch: each is
    multiplied by the number of processes, whose mean is taken. A
    term of it is given in its place as the last argument.
    """
    summed = SummedLoss(model, loss)
    together: torch.nn.Module = summed
    if processes.sharded:
        shard(summed, device, deferred)
    else:
        together = DistributedDataParallel(summed.to(device), find_unused_parameters=True)
    return lambda _, batch, *term: together(batch, *term)


class PartOfBatches:
    """Of each batch the rows of one process, every n-th; a process without one takes the first with no weight, so that
    all take as many steps. `weights` are those of the batches that were given out and not asked for yet.
    """

    def __init__(self, batches: Any, processes: Processes) -> None:
        self._batches = batches
        self._processes = processes
        self.weights: list[float] = []

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[list[int]]:
        for rows in self._batches:
            part = rows[self._processes.number :: self._processes.count]
            self.weights.append(1.0 if part else 0.0)
            yield part or rows[:1]


def of_all(sums: torch.Tensor, counts: Sequence[float], device: torch.device) -> tuple[list[float], list[float]]:
    """Of each step what all processes have summed, and the number of their examples."""
    if not len(sums):
        return [], []
    both = torch.stack([sums.double().to(device), torch.tensor(counts, dtype=torch.float64, device=device)])
    torch.distributed.all_reduce(both)
    totals, numbers = both.tolist()
    return totals, numbers
