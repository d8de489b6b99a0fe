"""The protocol of a measurement: who is timed when, when it is enough, and whether it counts.

All models are timed in one job, in blocks. In a block the variants (the original, a second process of the original, the
candidates) take turns in rounds of short bursts; a random order is followed by its reverse, so that of two variants
each comes first equally often and a steady drift cancels. Rounds are short because machines grow slower and faster
within seconds: what happens to one variant has to happen to all. Processes are started anew after a few blocks, since a
process keeps its memory layout. It goes on until the intervals are narrow, never until they show something.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import median
from typing import Any, Protocol

from harness.measurement.worker import BURST_SECONDS, UNTIMED_CALLS
from harness.stats.speed import Ratio, ratio

BASE = "base"
SECOND = "base again"
"""The A/A variant: another process of the original, whose ratio to it should be 1."""

BLOCKS_PER_LAUNCH = 4
BLOCK_SECONDS = 0.3
"""A block has rounds until one of the variants has been timed for so long in it."""
MARGINS = {"cpu": 0.05, "cuda": 0.03}
"""Differences that matter, by the type of the device, where nothing else is asked for."""
LEAST_PAIRS = 20
MOST_PAIRS = 60
HALF_WIDTH = 0.02
"""Of an interval that is narrow enough, in logarithms, where nothing else is asked for."""

Calls = Mapping[str, Sequence[float]]
"""Seconds of the timed calls of a burst, by stage: `forward`, or `prefill` and `decode`."""


@dataclass(frozen=True)
class Bursts:
    """The bursts to a variant in one block, one a round: where it stands in the first of them, and the seconds of the
    timed calls of each round by stage. `joules` of all of them.
    """

    launch: int
    block: int
    place: int
    rounds: tuple[Calls, ...]
    joules: float | None = None

    def calls(self, stage: str) -> list[float]:
        """Seconds of all timed calls."""
        return [seconds for calls in self.rounds for seconds in calls[stage]]

    def medians(self, stage: str) -> list[float]:
        """Of each round."""
        return [median(calls[stage]) for calls in self.rounds]

    @property
    def seconds(self) -> float:
        """Of all timed calls in all stages."""
        return sum(sum(seconds) for calls in self.rounds for seconds in calls.values())

    def and_then(self, calls: Calls, joules: float | None) -> Bursts:
        """With the calls of another round."""
        both = None if self.joules is None or joules is None else self.joules + joules
        return replace(self, rounds=(*self.rounds, calls), joules=both)


class Runner(Protocol):
    """What is timed: processes, or a simulation of them."""

    def launch(self, number: int) -> None:
        """Have fresh processes of all variants."""

    def burst(self, variant: str, cell: str) -> tuple[Calls, float | None]:
        """The timed calls of one burst, and their energy in joules where it can be read."""


@dataclass
class Series:
    """All bursts to one cell (a batch × length, or a task), by variant."""

    cell: str
    bursts: dict[str, list[Bursts]] = field(default_factory=dict)
    precise: bool = False

    def stages(self) -> list[str]:
        return list(next(iter(self.bursts.values()))[0].rounds[0])

    def pairs(self) -> int:
        return len(self.bursts.get(BASE, ()))

    def differences(self, variant: str, stage: str) -> list[list[float]]:
        """log(t_variant / t_base) of each block, by launch: the median over its rounds, t being that of a burst's
        calls.
        """
        launches: dict[int, list[float]] = {}
        for base, other in zip(self.bursts[BASE], self.bursts[variant], strict=True):
            pairs = zip(other.medians(stage), base.medians(stage), strict=True)
            launches.setdefault(base.launch, []).append(
                median(math.log(base_seconds / candidate_seconds) for base_seconds, candidate_seconds in pairs)
            )
        return list(launches.values())

    def ratio(self, variant: str, stage: str, seed: int) -> Ratio | None:
        """None where there are not the pairs of two launches."""
        differences = self.differences(variant, stage)
        return ratio(differences, seed) if len(differences) > 1 else None

    def is_precise(self, seed: int, half_width: float = HALF_WIDTH) -> bool:
        ratios = [
            self.ratio(variant, stage, seed) for variant in self.bursts if variant != BASE for stage in self.stages()
        ]
        return all(ratio is not None and ratio.half_width <= half_width for ratio in ratios)


class Validity(StrEnum):
    """Whether a ratio counts. IMPRECISE: nothing speaks against it, but its interval is wider than was asked for. Only
    VALID ones may be judged by.
    """

    VALID = "VALID"
    IMPRECISE = "IMPRECISE"
    INVALID = "INVALID"

    @classmethod
    def worst(cls, standings: Iterable[Validity]) -> Validity:
        """That of the whole; VALID of nothing."""
        order = list(cls)
        return max(standings, key=order.index, default=cls.VALID)


@dataclass(frozen=True)
class Verdict:
    """Whether a ratio counts. `reason` says why not; `note` what else to know of it."""

    standing: Validity
    reason: str = ""
    note: str = ""

    @property
    def is_valid(self) -> bool:
        return self.standing is Validity.VALID


def orders(variants: Sequence[str], seed: int, launch: int, cell: str) -> list[list[str]]:
    """The order of the variants in each block of a launch: a random one, its reverse, another one, its reverse."""
    drawn = random.Random(f"{seed} {launch} {cell}")
    blocks: list[list[str]] = []
    while len(blocks) < BLOCKS_PER_LAUNCH:
        order = drawn.sample(list(variants), len(variants))
        blocks += [order, order[::-1]]
    return blocks[:BLOCKS_PER_LAUNCH]


def measure(
    runner: Runner,
    cells: Sequence[str],
    candidates: Sequence[str],
    seed: int,
    deadline: float = math.inf,
    report: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
    half_width: float = HALF_WIDTH,
) -> dict[str, Series]:
    """Time all variants in all cells, launch after launch.

    A cell is done when it has at least 20 pairs and all its ratios a half-width of at most `half_width`, or 60 pairs.
    No launch but the first begins that would end after `deadline` (of `clock`) by the length of the one before.
    """
    series = {cell: Series(cell, {variant: [] for variant in (BASE, SECOND, *candidates)}) for cell in cells}
    open_cells = list(cells)
    launch, took = 0, 0.0
    while open_cells and (launch == 0 or clock() + took <= deadline):
        started = clock()
        runner.launch(launch)
        for cell in random.Random(f"{seed} {launch}").sample(open_cells, len(open_cells)):
            _burst_all(runner, series[cell], seed, launch)
        for cell in open_cells:
            cell_series = series[cell]
            cell_series.precise = cell_series.pairs() >= LEAST_PAIRS and cell_series.is_precise(seed, half_width)
        open_cells = [cell for cell in open_cells if not series[cell].precise and series[cell].pairs() < MOST_PAIRS]
        took = clock() - started
        launch += 1
        report(f"launch {launch}: {len(cells) - len(open_cells)} of {len(cells)} done, {took:.0f} s")
    return series


def _burst_all(runner: Runner, series: Series, seed: int, launch: int) -> None:
    for block, order in enumerate(orders(list(series.bursts), seed, launch, series.cell)):
        bursts: dict[str, Bursts] = {}
        turn = order
        while max((burst.seconds for burst in bursts.values()), default=0.0) < BLOCK_SECONDS:
            for variant in turn:
                calls, joules = runner.burst(variant, series.cell)
                known = bursts.get(variant)
                place = order.index(variant)
                bursts[variant] = (
                    known.and_then(calls, joules) if known else Bursts(launch, block, place, (calls,), joules)
                )
            turn = turn[::-1]
        for variant, burst_of_variant in bursts.items():
            series.bursts[variant].append(burst_of_variant)


def block_seconds(calls: Sequence[float]) -> float:
    """How long a block takes whose variants' calls take so many seconds."""
    timed = [max(1, math.ceil(BURST_SECONDS / max(call, 1e-9))) for call in calls]
    untimed = [1 if call > BURST_SECONDS else UNTIMED_CALLS for call in calls]
    rounds = math.ceil(BLOCK_SECONDS / max(call * count for call, count in zip(calls, timed, strict=True)))
    return rounds * sum(call * (first + count) for call, first, count in zip(calls, untimed, timed, strict=True))


def verdict(
    series: Series, stage: str, variant: str, margin: float, seed: int, half_width: float = HALF_WIDTH
) -> Verdict:
    """Of a variant's ratio at one stage: it counts where there are pairs enough, where the original against itself
    comes out as 1 to within half the margin, and where neither interval is wider than ± `half_width` (in logarithms).
    """
    if series.pairs() < LEAST_PAIRS:
        reason = f"{series.pairs()} pairs of the {LEAST_PAIRS} needed fit in the budget; raise it"
        return Verdict(Validity.INVALID, reason)
    second, ratio = series.ratio(SECOND, stage, seed), series.ratio(variant, stage, seed)
    assert second is not None and ratio is not None
    if abs(second.value - 1) > margin / 2:
        reason = f"the original against itself is {second.value:.3f}, beyond 1 ± {margin / 2:g}"
        return Verdict(Validity.INVALID, reason)
    for whose, interval in (("its interval", ratio), ("the interval of the original against itself", second)):
        if interval.half_width > half_width:
            wide = f"{whose} is ±{100 * interval.half_width:.1f} % wide, wider than ±{100 * half_width:g} %"
            return Verdict(Validity.IMPRECISE, f"{wide}, after {series.pairs()} pairs")
    return Verdict(Validity.VALID)


def samples(series: Series) -> dict[str, list[dict[str, Any]]]:
    """All bursts with all their calls, and how many of them each round has, JSON-able."""
    return {
        variant: [
            {
                "launch": burst.launch,
                "block": burst.block,
                "place": burst.place,
                "seconds": {stage: burst.calls(stage) for stage in series.stages()},
                "rounds": [len(next(iter(calls.values()))) for calls in burst.rounds],
                **({} if burst.joules is None else {"joules": burst.joules}),
            }
            for burst in bursts
        ]
        for variant, bursts in series.bursts.items()
    }
