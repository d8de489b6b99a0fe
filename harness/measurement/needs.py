"""What a measurement will need, told by its first launch: launches and seconds, and what a budget comes to."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.core.errors import HarnessError
from harness.measurement.protocol import BLOCKS_PER_LAUNCH, LEAST_PAIRS, MOST_PAIRS
from harness.measurement.series import BASE, Series
from harness.stats.aggregate import t_quantile
from harness.stats.speed import LOOKING

LEAST_LAUNCHES, MOST_LAUNCHES = LEAST_PAIRS // BLOCKS_PER_LAUNCH, MOST_PAIRS // BLOCKS_PER_LAUNCH
LAUNCH_SPREAD = 0.005
"""Standard deviation of a process against others of its kind, which one launch cannot tell."""
EFFICIENCY = 0.955
"""Of the Hodges–Lehmann estimate against the mean, for a normal distribution."""
LUCK = 0.7
"""What is called impossible must be so with blocks that differ by this fraction of what one launch showed."""


@dataclass(frozen=True)
class Forecast:
    """Of a cell: how much its blocks differ (a standard deviation, in logarithms), and the launches until its intervals
    are narrow enough, as is likely and with luck. None: more than there may be.
    """

    spread: float
    likely: int | None
    lucky: int | None


def forecast(series: Series, half_width: float) -> Forecast:
    """From the blocks of a first launch."""
    spread = spread_of(series)
    return Forecast(spread, launches_for(half_width, spread), launches_for(half_width, LUCK * spread))


def spread_of(series: Series) -> float:
    """Standard deviation of a variant's log ratios within a launch, over all variants: from the median difference of
    two blocks, which a spike does not move.
    """
    apart = [
        abs(first - second)
        for variant in series.bursts
        if variant != BASE
        for stage in series.stages()
        for blocks in series.differences(variant, stage)
        for first, second in itertools.combinations(blocks, 2)
    ]
    return median(apart) / (0.6745 * math.sqrt(2)) if apart else 0.0


def reach(launches: int, spread: float) -> float:
    """The half-width that so many launches come to; as `harness.stats.speed.ratio` makes intervals."""
    variance = LAUNCH_SPREAD**2 + spread**2 / (BLOCKS_PER_LAUNCH * EFFICIENCY)
    return LOOKING * t_quantile(launches - 1) * math.sqrt(variance / launches)


def launches_for(half_width: float, spread: float) -> int | None:
    """The fewest launches whose interval is narrow enough; None where the most are too few."""
    enough = (count for count in range(LEAST_LAUNCHES, MOST_LAUNCHES + 1) if reach(count, spread) <= half_width)
    return next(enough, None)


@dataclass(frozen=True)
class Costs:
    """Seconds: of a cell in a launch, of what each cell takes once beside its launches, of a launch to begin."""

    cells: Mapping[str, float]
    once: Mapping[str, float]
    launching: float

    def of(self, launches: Mapping[str, int], begun: int = 0) -> float:
        """Of so many launches of each cell, of which so many are made."""
        left = {name: max(0, count - begun) for name, count in launches.items()}
        timed = sum(count * self.cells[name] for name, count in left.items())
        return max(left.values(), default=0) * self.launching + timed + sum(self.once[name] for name in launches)


@dataclass(frozen=True)
class Outlook:
    """What is to become of the cells after the first launch: those that go on, why the others do not, and what to tell
    of it.
    """

    chosen: Sequence[str]
    dropped: Mapping[str, str]
    lines: Sequence[str]


def outlook(
    forecasts: Mapping[str, Forecast], costs: Costs, half_width: float, budget: float | None, left: float, short: bool
) -> Outlook:
    """Whether what is left of a budget can come to intervals as narrow as they were asked for.

    Args:
        forecasts: Of each cell.
        costs: What they take.
        half_width: Half the width of an interval that is narrow enough.
        budget: Seconds that were given; None for no limit.
        left: Those of them that are left.
        short: Go on whatever is to be expected.

    Raises:
        HarnessError: not even the cheapest cell can get there, with luck.
    """
    asked = f"±{100 * half_width:g} %"
    likely = {name: expected.likely or MOST_LAUNCHES for name, expected in forecasts.items()}
    seconds = costs.of(likely, begun=1)
    pairs = ", ".join(f"{name} {_pairs(expected.likely)}" for name, expected in forecasts.items())
    lines = [f"{asked} will take some {seconds:.0f} s more; pairs: {pairs}"]
    if budget is None or short:
        return Outlook(list(forecasts), {}, lines)
    chosen: list[str] = []
    dropped: dict[str, str] = {}
    for name in sorted(forecasts, key=lambda name: (likely[name] * costs.cells[name], name)):
        expected = forecasts[name]
        if expected.lucky is None:
            best = reach(MOST_LAUNCHES, expected.spread)
            dropped[name] = f"{MOST_PAIRS} pairs come to ±{100 * best:.1f} % on this machine now, {asked} was asked for"
            continue
        lucky = {other: forecasts[other].lucky or MOST_LAUNCHES for other in [*chosen, name]}
        if (lacking := costs.of(lucky, begun=1) - left) > 0:
            dropped[name] = f"{asked} takes some {lacking:.0f} s more than --budget leaves"
        else:
            chosen.append(name)
    if not chosen:
        raise HarnessError(_refusal(forecasts, costs, half_width, budget, left))
    if seconds > left:
        lines.append(f"the budget may end before that: {_minutes(budget + seconds - left)} would be enough")
    return Outlook([name for name in forecasts if name in chosen], dropped, lines)


def _pairs(launches: int | None) -> str:
    return f"more than {MOST_PAIRS}" if launches is None else str(launches * BLOCKS_PER_LAUNCH)


def _refusal(forecasts: Mapping[str, Forecast], costs: Costs, half_width: float, budget: float, left: float) -> str:
    """Of the cell that gets nearest: what it would take, and what can be had."""
    name = min(forecasts, key=lambda name: (forecasts[name].spread, costs.cells[name]))
    expected = forecasts[name]
    most = max((count for count in range(2, MOST_LAUNCHES + 1) if costs.of({name: count}, begun=1) <= left), default=2)
    what = f"--budget {budget:g}s: at {name} blocks differ by ±{100 * expected.spread:.1f} % on this machine now"
    ways = []
    if expected.likely is not None:
        ways.append(f"--budget {_minutes(budget + costs.of({name: expected.likely}, begun=1) - left)}")
    if most >= LEAST_LAUNCHES:
        ways.append(f"--precision {_rounded_up(reach(most, expected.spread)):g}")
    ways += ["a quieter machine", "--allow-short to measure all the same"]
    return (
        f"{what}, so that ±{100 * half_width:g} % is not to be had in it and nothing would be valid; give "
        f"{', '.join(ways[:-1])}, or {ways[-1]}"
    )


def _rounded_up(value: float) -> float:
    return math.ceil(200 * value) / 200


def _minutes(seconds: float) -> str:
    return f"{math.ceil(seconds / 60)}m"
