"""The protocol of a measurement: who is timed when, when it is enough, and whether it counts.

All models are timed in one job, in blocks. In a block the variants (the original, a second process of the original, the
candidates) take turns in rounds of short bursts; a random order is followed by its reverse, so that of two variants
each comes first equally often and a steady drift cancels. Rounds are short because machines grow slower and faster
within seconds: what happens to one variant has to happen to all. Where variants are many, the original's turn comes
again after every few of them, and each is compared with its bursts before and after. Processes are started anew after a
few blocks, since a process keeps its memory layout. A variant is timed until its intervals are narrow, never until they
show something.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from harness.measurement.series import BASE, SECOND, Bursts, Runner, Series, beside, original_again
from harness.measurement.validity import Validity, Verdict
from harness.measurement.worker import BURST_SECONDS, UNTIMED_CALLS

GROUP = 3
"""So many variants take their turns between two bursts of the original."""
BLOCKS_PER_LAUNCH = 4
BLOCK_SECONDS = 0.3
"""A block has rounds until one of the variants has been timed for so long in it."""
MARGINS = {"cpu": 0.05, "cuda": 0.03}
"""Differences that matter, by the type of the device, where nothing else is asked for."""
LEAST_PAIRS = 20
MOST_PAIRS = 60
HALF_WIDTH = 0.02
"""Of an interval that is narrow enough, in logarithms, where nothing else is asked for."""


def orders(variants: Sequence[str], seed: int, launch: int, cell: str) -> list[list[str]]:
    """The turns of the variants in each block of a launch: a random order, its reverse, another one, its reverse."""
    drawn = random.Random(f"{seed} {launch} {cell}")
    blocks: list[list[str]] = []
    while len(blocks) < BLOCKS_PER_LAUNCH:
        order = drawn.sample(list(variants), len(variants))
        if len(variants) > GROUP + 1:
            order = interleaved([variant for variant in order if variant != BASE])
        blocks += [order, order[::-1]]
    return blocks[:BLOCKS_PER_LAUNCH]


def interleaved(others: Sequence[str]) -> list[str]:
    """The original before and after each few others, in groups as equal as can be."""
    groups = math.ceil(len(others) / GROUP)
    bounds = [round(len(others) * group / groups) for group in range(groups + 1)]
    turn = [BASE]
    for start, end in itertools.pairwise(bounds):
        turn += [*others[start:end], BASE]
    return turn


Review = Callable[[Mapping[str, Series]], Collection[str]]
"""After the first launch: from what it found to the cells that are to go on."""


def measure(
    runner: Runner,
    cells: Sequence[str],
    candidates: Sequence[str],
    seed: int,
    deadline: float = math.inf,
    report: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
    half_width: float = HALF_WIDTH,
    review: Review | None = None,
) -> dict[str, Series]:
    """Time all variants in all cells, launch after launch.

    A candidate is done in a cell where it has at least 20 pairs and its ratios a half-width of at most `half_width`, or
    where it has 60 pairs; so has to be that of the original against itself, in the cell or over all of them, which is
    timed as long as any candidate is. No launch but the first begins that would end after `deadline` (of `clock`) by
    the length of the one before. Cells that `review` does not name are left out.
    """
    every = {cell: Series(cell, {variant: [] for variant in (BASE, SECOND, *candidates)}) for cell in cells}
    open_cells = list(cells)
    launch, took = 0, 0.0
    while open_cells and (launch == 0 or clock() + took <= deadline):
        started = clock()
        runner.launch(launch, {variant for cell in open_cells for variant in every[cell].open})
        for cell in random.Random(f"{seed} {launch}").sample(open_cells, len(open_cells)):
            _burst_all(runner, every[cell], seed, launch)
        if launch == 0 and review is not None:
            every = {cell: every[cell] for cell in review(every)}
            open_cells = list(every)
        _close(every, open_cells, seed, half_width)
        open_cells = [cell for cell in open_cells if every[cell].open]
        took = clock() - started
        launch += 1
        report(f"launch {launch}: {len(every) - len(open_cells)} of {len(every)} done, {took:.0f} s")
    return every


def _close(every: Mapping[str, Series], open_cells: Sequence[str], seed: int, half_width: float) -> None:
    """Note which variants have enough in which cells: candidates by themselves, the originals with the last of them."""
    for series in (every[cell] for cell in open_cells if every[cell].pairs() >= LEAST_PAIRS):
        against_itself = [original_again(series, every.values(), stage, seed) for stage in series.stages()]
        narrow = all(ratio is not None and ratio.half_width <= half_width for ratio in against_itself)
        for variant in series.candidates:
            if variant in series.done:
                continue
            if narrow and series.is_precise(variant, seed, half_width):
                series.narrow.add(variant)
            if variant in series.narrow or series.pairs(variant) >= MOST_PAIRS:
                series.done.add(variant)
        if series.done.issuperset(series.candidates):
            series.done |= {BASE, SECOND}


def _burst_all(runner: Runner, series: Series, seed: int, launch: int) -> None:
    variants = series.open
    for block, order in enumerate(orders(variants, seed, launch, series.cell)):
        timed: dict[str, Bursts] = {}
        turn = order
        while max((timed[name].seconds for name in timed if name != BASE), default=0.0) < BLOCK_SECONDS:
            answers = [runner.burst(variant, series.cell) for variant in turn]
            around = beside(turn, [calls for calls, _ in answers])
            for variant, (calls, joules), original in zip(turn, answers, around, strict=True):
                burst = Bursts(launch, block, order.index(variant), (calls,), (original,), joules)
                timed[variant] = timed[variant].and_then(burst) if variant in timed else burst
            turn = turn[::-1]
        for variant, bursts in timed.items():
            series.bursts[variant].append(bursts)


def block_seconds(calls: Sequence[float]) -> float:
    """How long a block takes whose variants' calls take so many seconds."""
    timed = [max(1, math.ceil(BURST_SECONDS / max(call, 1e-9))) for call in calls]
    untimed = [1 if call > BURST_SECONDS else UNTIMED_CALLS for call in calls]
    rounds = math.ceil(BLOCK_SECONDS / max(call * count for call, count in zip(calls, timed, strict=True)))
    turns = len(calls) if len(calls) <= GROUP + 1 else len(interleaved([""] * (len(calls) - 1)))
    of_one = sum(call * (first + count) for call, first, count in zip(calls, untimed, timed, strict=True)) / len(calls)
    return rounds * turns * of_one


def verdict(
    series: Series,
    stage: str,
    variant: str,
    margin: float,
    seed: int,
    half_width: float = HALF_WIDTH,
    every: Iterable[Series] = (),
) -> Verdict:
    """Of a variant's ratio at one stage: it counts where there are pairs enough, where the original against itself
    comes out as 1 to within half the margin, and where neither interval is wider than ± `half_width` (in logarithms).
    The original's is that of this cell, or of `every` cell that was timed together where this is narrower.
    """
    pairs = series.pairs(variant)
    if pairs < LEAST_PAIRS:
        reason = f"{pairs} pairs of the {LEAST_PAIRS} needed fit in the budget; raise it"
        return Verdict(Validity.INVALID, reason)
    second, ratio = series.ratio(SECOND, stage, seed), series.ratio(variant, stage, seed)
    again = original_again(series, every, stage, seed)
    assert second is not None and ratio is not None and again is not None
    if abs(second.value - 1) > margin / 2:
        reason = f"the original against itself is {second.value:.3f}, beyond 1 ± {margin / 2:g}"
        return Verdict(Validity.INVALID, reason)
    for whose, interval in (("its interval", ratio), ("the interval of the original against itself", again)):
        if interval.half_width > half_width:
            wide = f"{whose} is ±{100 * interval.half_width:.1f} % wide, wider than ±{100 * half_width:g} %"
            return Verdict(Validity.IMPRECISE, f"{wide}, after {interval.pairs} pairs")
    return Verdict(Validity.VALID)
