"""Counts of streams in bounded memory: distinct values, frequent values, histograms."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.core.facts import Facts


class Distinct:
    """About how many distinct values there were, from their hashes (HyperLogLog; Flajolet et al. 2007).

    With 2^14 registers its standard error is 0.8 %; up to some ten thousand it is nearly exact.
    """

    BITS = 14

    def __init__(self) -> None:
        self._registers = np.zeros(1 << self.BITS, dtype=np.uint8)

    def add(self, codes: NDArray[np.uint64]) -> None:
        """Take hashes of 32 bits into account."""
        mixed = (codes + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0xD6E8FEB86659FD93)
        mixed ^= mixed >> np.uint64(32)
        places = (mixed >> np.uint64(64 - self.BITS)).astype(np.int64)
        rest = (mixed << np.uint64(self.BITS)) | np.uint64(1 << (self.BITS - 1))
        zeros = 63 - np.floor(np.log2(rest.astype(np.float64))).astype(np.int64)
        np.maximum.at(self._registers, places, np.clip(zeros + 1, 1, 64).astype(np.uint8))

    def estimate(self) -> float:
        """How many there were."""
        size = len(self._registers)
        raw = (0.7213 / (1 + 1.079 / size)) * size * size / np.sum(2.0 ** -self._registers.astype(np.float64))
        empty = int(np.count_nonzero(self._registers == 0))
        return size * math.log(size / empty) if empty and raw <= 2.5 * size else float(raw)


class Frequent:
    """The most frequent values of a stream: exact until `capacity` are held, then the rare ones are dropped
    (lossy counting; Manku and Motwani 2002), so that counts may be too low by `error`.
    """

    def __init__(self, capacity: int = 50_000) -> None:
        self.counts: Counter[str] = Counter()
        self.error = 0
        self._capacity = capacity

    def update(self, counts: Mapping[str, int]) -> None:
        """Add counts."""
        self.counts.update(counts)
        while len(self.counts) > self._capacity:
            self.error += 1
            self.counts = Counter({value: count - 1 for value, count in self.counts.items() if count > 1})


class Excerpt(Facts):
    """A text, or a part of one, and where it stands."""

    place: str
    text: str


class Quantiles(Facts):
    """Of some values; None of none."""

    min: float | None = None
    q25: float | None = None
    median: float | None = None
    q75: float | None = None
    q95: float | None = None
    max: float | None = None
    mean: float | None = None


@dataclass
class Examples:
    """The first few examples of each kind."""

    most: int = 5
    by_kind: dict[str, list[Excerpt]] = field(default_factory=dict)

    def add(self, kind: str, place: str, text: str) -> None:
        """Keep an example where there are few."""
        kept = self.by_kind.setdefault(kind, [])
        if len(kept) < self.most:
            kept.append(Excerpt(place=place, text=text))

    def merge(self, other: Mapping[str, Iterable[Excerpt]]) -> None:
        """Those of another one after these."""
        for kind, examples in other.items():
            for item in examples:
                self.add(kind, item.place, item.text)


def quantiles(values: NDArray[np.float64] | list[float]) -> Quantiles:
    """Least, quartiles, 95th percentile, greatest and mean of some values."""
    if not len(values):
        return Quantiles()
    points = np.quantile(np.asarray(values, dtype=np.float64), [0, 0.25, 0.5, 0.75, 0.95, 1])
    least, q25, median, q75, q95, most = (round(float(item), 4) for item in points)
    mean = round(float(np.mean(values)), 4)
    return Quantiles(min=least, q25=q25, median=median, q75=q75, q95=q95, max=most, mean=mean)
