"""How much longer one thing takes than another, from timings in pairs; and percentiles of latencies."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.stats.aggregate import t_quantile

if TYPE_CHECKING:
    import numpy as np

RESAMPLES = 1000
"""A multiple of 100."""
LOOKING = 1.08
"""What looking costs. Who stops as soon as an interval is narrow stops more often where launches agree by chance:
simulated, that makes up to 6 % of the intervals miss instead of 5 %. They are widened by this.
"""
PERCENTILES = (50, 90, 95, 99)
LEVEL = 0.95


@dataclass(frozen=True)
class Ratio:
    """A ratio of times, candidate over base, with its 95 % interval, from `pairs` pairs of `launches` launches."""

    value: float
    low: float
    high: float
    pairs: int
    launches: int

    @property
    def half_width(self) -> float:
        """Of the interval, in logarithms: 0.02 is some ±2 %."""
        return (math.log(self.high) - math.log(self.low)) / 2

    @property
    def excludes_one(self) -> bool:
        return self.low > 1 or self.high < 1

    @property
    def inverse(self) -> Ratio:
        """How many times as fast: base over candidate."""
        return Ratio(1 / self.value, 1 / self.high, 1 / self.low, self.pairs, self.launches)


def ratio(differences: Sequence[Sequence[float]], seed: int = 0, resamples: int = RESAMPLES) -> Ratio:
    """The ratio of times from differences log(t_candidate / t_base): for each launch those of its pairs, (L, m).

    The estimate is the median of all Walsh averages (Hodges & Lehmann 1963): a spike in one pair hardly moves it. Pairs
    of one launch share its memory layout and a stretch of the machine's drift, so that launches are what is drawn: the
    standard error is that of a bootstrap over launches (Field & Welsh 2007). Launches are few: the error is multiplied
    by √(L / (L − 1)), since drawing from L understates it, and the interval takes Student's t with L − 1 degrees of
    freedom (Cameron, Gelbach & Miller 2008). Percentiles of the bootstrap, too narrow with few launches, are not used.
    `LOOKING` pays for stopping by the width.
    Deterministic in `seed`.

    Raises:
        ValueError: fewer than two launches, or not equally many pairs of each.
    """
    import numpy as np

    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 2 or len(values) < 2 or not values.size:
        raise ValueError("an interval needs the pairs of two launches at least, equally many of each")
    count = len(values)
    centre = float(hodges_lehmann(values.reshape(1, -1))[0])
    random = np.random.Generator(np.random.PCG64(seed))
    drawn = random.integers(0, count, (resamples, count))
    centres = np.concatenate(
        [hodges_lehmann(values[rows].reshape(len(rows), -1)) for rows in np.array_split(drawn, resamples // 100)]
    )
    error = float(centres.std(ddof=1)) * math.sqrt(count / (count - 1))
    half = LOOKING * t_quantile(count - 1) * error
    return Ratio(math.exp(centre), math.exp(centre - half), math.exp(centre + half), values.size, count)


def hodges_lehmann(values: np.ndarray) -> np.ndarray:
    """For each row (r, n) the median of the averages of all pairs of its values, each with itself included: (r,)."""
    import numpy as np

    first, second = np.triu_indices(values.shape[1])
    return np.median((values[:, first] + values[:, second]) / 2, axis=1)


@dataclass(frozen=True)
class Percentile:
    """A percentile of n values, and a bound it lies under with 95 % confidence, in their unit."""

    value: float
    high: float
    n: int


def needed(percentile: int) -> int:
    """How many values bound a percentile from above with 95 % confidence: 1 - p^n ≥ 0.95 (Wilks 1941)."""
    return math.ceil(math.log(1 - LEVEL) / math.log(percentile / 100))


def percentiles(values: Sequence[float]) -> dict[str, Percentile]:
    """`{"p50": …, "p90": …}`, those alone that so many values can bound.

    The bound is the smallest order statistic that lies above the percentile with 95 % confidence (David & Nagaraja
    2003, section 7.1). It takes values as independent, which calls of one burst are not quite.
    """
    import numpy as np
    from scipy.stats import binom

    ordered = np.sort(np.asarray(values, dtype=np.float64))
    by_name = {}
    for percentile in PERCENTILES:
        if len(ordered) >= needed(percentile):
            fraction = percentile / 100
            rank = int(binom.ppf(LEVEL, len(ordered), fraction)) + 1  # 1-based: P(X < rank) ≥ 0.95
            by_name[f"p{percentile}"] = Percentile(
                float(np.quantile(ordered, fraction)), float(ordered[min(rank, len(ordered)) - 1]), len(ordered)
            )
    return by_name
