"""Random numbers that are the same on every platform and Python version."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Rng:
    """Draws from `random.Random(seed).random()` alone: the only sequence that Python promises to keep."""

    def __init__(self, seed: str) -> None:
        self.real = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        return self.real() < probability

    def index(self, size: int) -> int:
        return int(self.real() * size)

    def choice(self, items: Sequence[T]) -> T:
        return items[int(self.real() * len(items))]

    def sample(self, items: Sequence[T], size: int) -> list[T]:
        """`size` items at different positions, in random order."""
        rest = list(items)
        for position in range(size):
            other = position + int(self.real() * (len(rest) - position))
            rest[position], rest[other] = rest[other], rest[position]
        return rest[:size]

    def normal(self) -> float:
        """Nearly normal: a sum of uniforms, since logarithms and cosines differ in the last bit by platform."""
        return sum(self.real() for _ in range(12)) - 6.0
