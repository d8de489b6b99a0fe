"""AdamW for the embedding table of a training on a CPU, one row at a time. Imports torch: import it inside functions.

A step reads a few hundred of a table's thousands of rows, and the others have no gradient; AdamW (Loshchilov and Hutter
2019) moves them all the same, by what it remembers of earlier gradients. Here a row is moved when it is read again, by
what the steps since then would have done to it. The moments decay by known factors and the learning rates are known, so
that it is a sum in closed form, which costs the same for one step and for a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from harness.training.optimizers import BETA1, BETA2, EPSILON

ROWS_FROM = 16_384
"""Rows of a table from which on it is worth while; below, a step over all of them takes little."""
ROWS_A_TOKEN = 8
"""Rows there must be for each token of a step."""
WITHOUT_EPSILON = BETA1 / math.sqrt(BETA2)
"""What a move without ε is multiplied with from step to step."""


class Catching:
    """What steps without a gradient do to a row, from the learning rates of all steps.

    Step k moves a weight by −lr_k m_k / (1 − β1^k) / (√v_k / √(1 − β2^k) + ε), after it shrank by 1 − lr_k · decay;
    from step s on m_k = β1^(k−s) m_s and v_k = β2^(k−s) v_s. The sum of the moves is one over all steps to come, less
    the one from where the row is read. It is taken to the second order in ε / √v_s: that is AdamW's to rounding for
    gradients above 1e-4, and to 1e-4 of the moves for those of 1e-6.
    """

    def __init__(self, rates: Sequence[float], weight_decay: float) -> None:
        steps = np.arange(1, len(rates) + 1)
        kept = np.concatenate([[1.0], np.cumprod(1.0 - np.asarray(rates) * weight_decay)])
        moves = np.asarray(rates) / (1.0 - BETA1**steps) / kept[1:]
        self._kept = kept
        self._first_order = _sums(moves * np.sqrt(1.0 - BETA2**steps), WITHOUT_EPSILON)
        self._second_order = _sums(moves * (1.0 - BETA2**steps), BETA1 / BETA2)

    def shrunk(self, since: int, now: int) -> float:
        """What the decay alone leaves of a weight."""
        return float(self._kept[now] / self._kept[since])

    def __call__(
        self, weights: torch.Tensor, first: torch.Tensor, second: torch.Tensor, since: np.ndarray, now: int
    ) -> None:
        """Bring rows (r, d) and their moments from after step `since` (r,) to after step `now`, in place."""
        steps = now - since
        moves = self._first_order[since] - WITHOUT_EPSILON**steps * self._first_order[now]
        with_epsilon = self._second_order[since] - (BETA1 / BETA2) ** steps * self._second_order[now]
        epsilon = EPSILON * np.divide(with_epsilon, moves, out=np.ones_like(moves), where=moves > 0)

        def column(values: np.ndarray) -> torch.Tensor:
            return torch.from_numpy(values.astype(np.float32))[:, None]

        weights.mul_(column(self._kept[now] / self._kept[since]))
        weights.sub_(column(self._kept[now] * moves) * first / (second.sqrt() + column(epsilon)))
        first.mul_(column(BETA1**steps))
        second.mul_(column(BETA2**steps))


def _sums(moves: np.ndarray, ratio: float) -> np.ndarray:
    """Σ over all later steps k of moves_k · ratio^(k − s), for each s from 0 on."""
    sums = np.zeros(len(moves) + 1)
    for step in range(len(moves), 0, -1):
        sums[step - 1] = ratio * (moves[step - 1] + sums[step])
    return sums


class LazyRows:
    """The rows of a table, which are moved when they are read.

    Within `reading` the table's own gradient is not made: what is read is noted, with the gradient it gets.
    """

    def __init__(self, table: nn.Embedding, rates: Sequence[float], weight_decay: float) -> None:
        self._table, self._rates, self._decay = table, rates, weight_decay
        self._catch_up = Catching(rates, weight_decay)
        self._first, self._second = torch.zeros_like(table.weight), torch.zeros_like(table.weight)
        self._since = np.zeros(table.num_embeddings, dtype=np.int64)
        self._step = 0
        self._read: list[tuple[torch.Tensor, torch.Tensor]] = []

    @contextmanager
    def reading(self) -> Iterator[None]:
        """The training itself; afterwards the table is as AdamW leaves it."""
        weight = self._table.weight
        weight.requires_grad_(False)
        hooks = [
            self._table.register_forward_pre_hook(self._before),
            self._table.register_forward_hook(self._after),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self.settle()
            weight.requires_grad_(True)

    def _before(self, table: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        self._bring(np.unique(arguments[0].numpy()))

    def _after(self, table: nn.Module, arguments: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        if not torch.is_grad_enabled():
            return output
        leaf = output.detach().requires_grad_()
        self._read.append((arguments[0], leaf))
        return leaf

    @torch.no_grad()
    def _bring(self, rows: np.ndarray) -> None:
        behind = rows[self._since[rows] < self._step]
        since = self._since[behind]
        self._since[behind] = self._step
        moved = since > 0  # before its first gradient a row has no moments, and shrinks alone
        if self._decay and not moved.all():
            self._table.weight[torch.from_numpy(behind[~moved])] *= self._catch_up.shrunk(0, self._step)
        if moved.any():
            index = torch.from_numpy(behind[moved])
            weights, first, second = (each[index] for each in (self._table.weight, self._first, self._second))
            self._catch_up(weights, first, second, since[moved], self._step)
            self._table.weight[index], self._first[index], self._second[index] = weights, first, second

    def gradient(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows (r,) that were read since the last step, and their gradients (r, d)."""
        read = [(ids.reshape(-1), leaf.grad.flatten(0, -2)) for ids, leaf in self._read if leaf.grad is not None]
        self._read.clear()
        if not read:
            return torch.empty(0, dtype=torch.int64), torch.empty(0, self._table.embedding_dim)
        ids, gradients = (torch.cat(parts) for parts in zip(*read, strict=True))
        rows, places = torch.unique(ids, return_inverse=True)
        summed = gradients.new_zeros(len(rows), gradients.shape[-1]).index_add_(0, places, gradients)
        if self._table.padding_idx is not None:
            summed[rows == self._table.padding_idx] = 0.0
        return rows, summed

    @torch.no_grad()
    def step(self, rows: torch.Tensor, gradients: torch.Tensor) -> None:
        """A step of AdamW with the gradients (r, d) of rows (r,), of which all others have none."""
        rate = self._rates[self._step]
        self._step += 1
        first = self._first[rows].lerp_(gradients, 1 - BETA1)
        second = self._second[rows].mul_(BETA2).addcmul_(gradients, gradients, value=1 - BETA2)
        weights = self._table.weight[rows].mul_(1 - rate * self._decay)
        scale = (second.sqrt() / math.sqrt(1 - BETA2**self._step)).add_(EPSILON)
        weights.addcdiv_(first, scale, value=-rate / (1 - BETA1**self._step))
        self._table.weight[rows], self._first[rows], self._second[rows] = weights, first, second
        self._since[rows.numpy()] = self._step

    def settle(self) -> None:
        """Move every row: what follows reads the whole table."""
        self._bring(np.arange(self._table.num_embeddings))


def lazy_table(model: Any, tokens: float, rates: Sequence[float], weight_decay: float) -> LazyRows | None:
    """The table of a model's tokens where its rows can be moved so, and where that pays.

    Args:
        model: Not one whose table is on a GPU, is not trained, or is used by something else of it too.
        tokens: How many a step reads.
        rates: The learning rate of each step.
        weight_decay: AdamW's.

    Returns:
        None where all rows are moved in each step.
    """
    try:
        table = model.get_input_embeddings()
    except NotImplementedError:
        return None
    if type(table) is not nn.Embedding or table.max_norm is not None or table.scale_grad_by_freq:
        return None
    weight = table.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not weight.requires_grad:
        return None
    uses = sum(other is weight for _, other in model.named_parameters(remove_duplicate=False))
    large = table.num_embeddings >= max(ROWS_FROM, ROWS_A_TOKEN * tokens)
    return LazyRows(table, rates, weight_decay) if large and uses == 1 else None
