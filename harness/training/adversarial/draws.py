"""Where perturbations begin. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from harness.training.adversarial.perturbation import Draw

SEED = 5
"""Beside the training's own."""


class Draws:
    """Random values (b, t, d) of a step, which depend on the number of an example in the whole batch and on nothing
    else: they are the same in parts of it, in several processes, and with more padding.

    The batch at hand is the whole one, or of that every `stride`-th example from `first` on.
    """

    def __init__(self, seed: int, step: int, first: int = 0, stride: int = 1) -> None:
        self._seed, self._step, self._first, self._stride = seed, step, first, stride
        self._batches = 0

    def normal(self, deviation: float) -> Draw:
        """Normal values of that standard deviation."""
        return self._by_example(lambda random, shape: random.standard_normal(shape, np.float32), deviation)

    def in_cube(self, length: float) -> Draw:
        """Uniform values whose length, those of an example taken as one, is at most `length`."""
        draw = self._by_example(lambda random, shape: 2 * random.random(shape, np.float32) - 1, length)

        def scaled(shape: tuple[int, ...], real: torch.Tensor) -> torch.Tensor:
            return draw(shape, real) / (shape[-1] * real.sum((1, 2), keepdim=True)).sqrt()

        return scaled

    def _by_example(self, values: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray], factor: float) -> Draw:
        batch, self._batches = self._batches, self._batches + 1

        def draw(shape: tuple[int, ...], real: torch.Tensor) -> torch.Tensor:
            rows = [self._first + self._stride * row for row in range(shape[0])]
            seeds = [[SEED, self._seed, self._step, batch, row] for row in rows]
            drawn = np.stack([values(np.random.default_rng(seed), shape[1:]) for seed in seeds])
            return factor * real * torch.from_numpy(drawn).to(real.device)

        return draw
