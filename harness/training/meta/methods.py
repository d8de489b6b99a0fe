"""What a step of the outer loop follows, by each method, for any differentiable model. Imports torch at its top.

A model is a mapping of weights and a problem that says what they lose on a batch; nothing here knows what they are of.

- MAML (Finn et al. 2017): the loss on the query examples after some steps of gradient descent on the support examples,
  differentiated through these steps; to the first order (FOMAML) the steps' own gradients are taken for constants.
- ANIL (Raghu et al. 2020): as MAML, with the weights of the task alone adapted inside.
- Reptile (Nichol et al. 2018): the way back from where the steps on all examples of a task lead.
- Multi-task training: the loss on all examples, without steps inside.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import torch

Weights = Mapping[str, torch.Tensor]
Method = Literal["reptile", "fomaml", "maml", "anil", "multitask"]


@dataclass(frozen=True)
class Episode:
    """A small task: what it is of, and batches of any kind that the problem knows to read: those adapted to, and those
    that judge it.
    """

    task: str
    support: Any
    query: Any


class Problem(Protocol):
    """A model whose weights are given."""

    def start(self, weights: Weights, episode: Episode) -> Weights:
        """The weights that an episode starts from: the shared ones, and those of its own task, such as a head."""
        ...

    def loss(self, weights: Weights, batch: Any) -> torch.Tensor:
        """The mean loss of a batch, a scalar."""
        ...

    def of_task(self, names: Collection[str]) -> Collection[str]:
        """The names of the weights that are the task's own."""
        ...


@dataclass(frozen=True)
class InnerLoop:
    """Gradient descent on an episode: so many steps at a rate."""

    steps: int
    rate: float


def adapted(
    loss: Callable[[Weights, Any], torch.Tensor],
    weights: Weights,
    batches: Sequence[Any],
    inner: InnerLoop,
    names: Collection[str],
    through: bool,
) -> tuple[Weights, torch.Tensor]:
    """The weights after gradient descent on batches in turn, and the loss before the last step.

    Args:
        loss: Of weights and a batch.
        weights: Those to start from.
        batches: What is descended on.
        inner: Steps and rate.
        names: The weights that are changed.
        through: Gradients of what comes out go through the steps' own gradients as well.

    Returns:
        All weights, and a scalar without a gradient.
    """
    # Views, so that a step takes the weights for independent of one another, though one was made of another.
    current, value = {name: tensor.view_as(tensor) for name, tensor in weights.items()}, torch.zeros(())
    for step in range(inner.steps):
        value = loss(current, batches[step % len(batches)])
        chosen = [name for name in names if current[name].requires_grad]
        gradients = torch.autograd.grad(
            value, [current[name] for name in chosen], create_graph=through, allow_unused=True
        )
        for name, gradient in zip(chosen, gradients, strict=True):
            if gradient is not None:
                current[name] = current[name] - inner.rate * gradient
    return current, value.detach()


def objective(
    method: Method, problem: Problem, weights: Weights, episode: Episode, inner: InnerLoop
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the outer loop descends on for an episode, and the loss to report: on the query examples of the adapted
    weights; of Reptile before its last step, of multi-task training on all.
    """
    start = problem.start(weights, episode)
    both = [episode.support, episode.query]
    if method == "multitask":
        value = torch.stack([problem.loss(start, batch) for batch in both]).mean()
        return value, value.detach()
    if method == "reptile":
        fresh = {name: tensor.detach().requires_grad_() for name, tensor in start.items()}
        end, value = adapted(problem.loss, fresh, both, inner, fresh.keys(), through=False)
        ways = [((fresh[name] - end[name]).detach() * tensor).sum() for name, tensor in start.items()]
        return torch.stack(ways).sum(), value
    names = problem.of_task(start.keys()) if method == "anil" else start.keys()
    open_weights = {
        name: tensor if tensor.requires_grad else tensor.detach().requires_grad_() for name, tensor in start.items()
    }
    end, _ = adapted(problem.loss, open_weights, [episode.support], inner, names, through=method in ("maml", "anil"))
    value = problem.loss(end, episode.query)
    return value, value.detach()


def outer_gradients(
    method: Method, problem: Problem, weights: Weights, episodes: Sequence[Episode], inner: InnerLoop
) -> tuple[dict[str, torch.Tensor], float]:
    """The mean over episodes of what each asks of the shared weights, and of their losses; nothing of a weight that no
    episode says anything of.
    """
    total: dict[str, torch.Tensor] = {}
    reported = 0.0
    for episode in episodes:
        value, shown = objective(method, problem, weights, episode, inner)
        gradients = torch.autograd.grad(value, list(weights.values()), allow_unused=True)
        for name, gradient in zip(weights, gradients, strict=True):
            if gradient is not None:
                part = gradient / len(episodes)
                total[name] = total[name] + part if name in total else part
        reported += float(shown) / len(episodes)
    return total, reported
