"""The expected best value of n trials of a search, from those that were made (Dodge et al. 2019, "Show Your Work",
arXiv 1909.03004, section 3).

With the values v(1) ≤ … ≤ v(N) of N trials and their empirical distribution, the best of n that are drawn from it with
replacement is at most v(i) with the probability (i/N)^n, so that

    E[best of n] = Σ v(i) · ((i/N)^n − ((i−1)/N)^n)

It says what a search of n trials would have found, where trials are drawn independently, as `random` draws them.
"""

from __future__ import annotations

from collections.abc import Sequence


def expected_best(values: Sequence[float], draws: int) -> tuple[float, float]:
    """The mean and the standard deviation of the greatest of `draws` values drawn with replacement."""
    count = len(values)
    weights = [(place / count) ** draws - ((place - 1) / count) ** draws for place in range(1, count + 1)]
    ordered = sorted(values)
    mean = sum(weight * value for weight, value in zip(weights, ordered, strict=True))
    square = sum(weight * (value - mean) ** 2 for weight, value in zip(weights, ordered, strict=True))
    return mean, square**0.5


def curve(values: Sequence[float], greater_is_better: bool = True) -> list[tuple[int, float, float]]:
    """(n, mean, deviation) for 1 … N draws of N values; the least value is the best unless `greater_is_better`."""
    sign = 1 if greater_is_better else -1
    points = ((draws, expected_best([sign * value for value in values], draws)) for draws in range(1, len(values) + 1))
    return [(draws, sign * mean, deviation) for draws, (mean, deviation) in points]
