"""The gradients of a loss that compares all examples of a batch, in the memory of a part of it (Gao et al. 2021,
arXiv 2101.06983). Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from harness.training.objectives import Objective
from harness.training.world import World

Parts = Sequence[dict[str, torch.Tensor]]


def backward(
    objective: Objective, model: Any, parts: Parts, world: World, autocast: Callable[[], AbstractContextManager[Any]]
) -> torch.Tensor:
    """Add the gradients of a batch to the model's, equal in all processes; returns the loss of the whole batch.

    Vectors of all parts are computed first, without gradients where there are several, and gathered from all processes;
    the loss is a function of these vectors. What it says of each vector then goes back through the part that the vector
    is of, computed once more with the same dropout.

    Args:
        objective: One that is `whole_batch`.
        model: The model, with equal weights in all processes.
        parts: This process's micro-batches, of equal size.
        world: The processes that share the batch.
        autocast: The precision of the passes.
    """
    at_once = len(parts) == 1 and world.size == 1
    states, vectors = [], []
    for part in parts:
        states.append(_random_state(world.device))
        with torch.set_grad_enabled(at_once), autocast():
            vectors.append(objective.vectors(model, part))
    if at_once:
        loss = objective.loss_of(model, vectors[0])
        loss.backward()
        return loss.detach().float()
    whole = world.gathered(torch.cat(vectors)).requires_grad_()
    loss = objective.loss_of(model, whole)
    loss.backward()
    if not world.is_first:  # what the loss itself has learned is the same everywhere, and counts once in the sum
        for parameter in model.parameters():
            parameter.grad = None
    assert whole.grad is not None
    gradients = whole.grad.unflatten(0, (world.size, -1))[world.rank].split([len(part) for part in vectors])
    after = _random_state(world.device)
    for part, state, gradient in zip(parts, states, gradients, strict=True):
        _set_random_state(state, world.device)
        with autocast():
            again = objective.vectors(model, part)
        again.backward(gradient)
    _set_random_state(after, world.device)
    world.add_gradients(model.parameters())
    return loss.detach().float()


def _random_state(device: torch.device) -> tuple[torch.Tensor, torch.Tensor | None]:
    return torch.get_rng_state(), torch.cuda.get_rng_state(device) if device.type == "cuda" else None


def _set_random_state(state: tuple[torch.Tensor, torch.Tensor | None], device: torch.device) -> None:
    torch.set_rng_state(state[0])
    if state[1] is not None:
        torch.cuda.set_rng_state(state[1], device)
