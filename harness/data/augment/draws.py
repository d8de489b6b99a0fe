"""What is drawn at random, by names: the same in every process and on every machine."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draws:
    """A sequence of draws that depends on names alone, such as a seed, an example's id, a field and a copy's number."""

    def __init__(self, *names: object) -> None:
        written = "\0".join(map(str, names)).encode()
        digest = hashlib.blake2b(written, digest_size=16).digest()
        self.uniform = random.Random(int.from_bytes(digest, "big")).random
        """Uniform in [0, 1): the only sequence that Python promises to keep."""

    def chance(self, rate: float) -> bool:
        """True with this probability."""
        return self.uniform() < rate

    def below(self, count: int) -> int:
        """One of 0 … count - 1."""
        return int(count * self.uniform())

    def choice(self, values: Sequence[T]) -> T:
        """One of the values, which are not none."""
        return values[self.below(len(values))]

    def shuffled(self, values: Sequence[T]) -> list[T]:
        """The values in random order."""
        drawn = list(values)
        for last in range(len(drawn) - 1, 0, -1):
            other = self.below(last + 1)
            drawn[last], drawn[other] = drawn[other], drawn[last]
        return drawn

    def sample(self, values: Sequence[T], count: int) -> list[T]:
        """So many of the values, or all, in random order."""
        return self.shuffled(values)[:count]
