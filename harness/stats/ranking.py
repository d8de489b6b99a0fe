"""Ranks of models that say what the data do not separate: pairwise tests, groups, and how many examples would do."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.stats.significance import POWER, Drop, holm

ALPHA = 0.05


@dataclass(frozen=True)
class Difference:
    """How much more one model scores than another: the drop from the first to the second, its two-sided p before any
    correction, and the n examples it rests on. `is_paired`: over the same examples; else of two standard errors.
    """

    drop: Drop
    p: float
    n: int
    is_paired: bool = True


@dataclass(frozen=True)
class Ranks:
    """Of models in the order of their scores, best first.

    Attributes:
        lowest: The best rank each can have: one more than the models that are better by their test.
        highest: The worst rank each can have.
        groups: Maximal runs of neighbours, first and last place, in which no two are separated; they may overlap.
        adjusted: The p of each pair after Holm's correction over all of them.
    """

    lowest: tuple[int, ...]
    highest: tuple[int, ...]
    groups: tuple[tuple[int, int], ...]
    adjusted: Mapping[tuple[int, int], float]


def two_sided(p_worse: float) -> float:
    """From the one-sided p of a drop."""
    return min(1.0, 2 * min(p_worse, 1 - p_worse))


def ranks(count: int, p_values: Mapping[tuple[int, int], float], alpha: float = ALPHA) -> Ranks:
    """Ranks by all pairwise tests (Holm 1979 over all of them, so that with probability 1 - alpha no two equal models
    are told apart). Groups are those of Demšar (2006): models that stand together with no two of them separated.

    Args:
        count: How many models.
        p_values: The two-sided p of pairs of places, the better first. A pair without one is not separated.
        alpha: Of all tests together.

    Returns:
        The ranks.
    """
    adjusted = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    apart = {pair for pair, p in adjusted.items() if p < alpha}
    lowest = tuple(1 + sum((other, at) in apart for other in range(at)) for at in range(count))
    highest = tuple(count - sum((at, other) in apart for other in range(at + 1, count)) for at in range(count))
    return Ranks(lowest, highest, _groups(count, apart), adjusted)


def _groups(count: int, apart: set[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    groups: list[tuple[int, int]] = []
    for first in range(count):
        last = first
        while last + 1 < count and not any((at, last + 1) in apart for at in range(first, last + 1)):
            last += 1
        if not groups or last > groups[-1][1]:
            groups.append((first, last))
    return tuple(groups)


def letters(groups: Sequence[tuple[int, int]], at: int) -> str:
    """The groups a place is in, `a`, `b`, …; after `z` comes `aa`."""
    return " ".join(_letter(number) for number, (first, last) in enumerate(groups) if first <= at <= last)


def _letter(number: int) -> str:
    return chr(ord("a") + number) if number < 26 else _letter(number // 26 - 1) + _letter(number % 26)


def examples_needed(difference: Difference, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """How many examples would separate two models that differ by just what was seen, in this test alone and with this
    power, by the normal approximation: the variance of the examples is that of one over n; that of the seeds stays.

    Returns:
        The number; None where no number does: no difference, or one that the spread between seeds hides.
    """
    from scipy.special import ndtri

    reach = float(ndtri(1 - alpha / 2) + ndtri(power))
    left = (difference.drop.value / reach) ** 2 - difference.drop.of_seeds
    if left <= 0:
        return None
    return max(1, math.ceil(difference.n * difference.drop.of_examples / left))
