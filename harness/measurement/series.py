"""The bursts of a measurement, and what they come to: ratios of times between a variant and the original beside it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Protocol

from harness.stats.speed import Ratio, ratio

BASE = "base"
SECOND = "base again"
"""The A/A variant: another process of the original, whose ratio to it should be 1."""

Calls = Mapping[str, Sequence[float]]
"""Seconds of the timed calls of a burst, by stage: `forward`, or `prefill` and `decode`."""
Logs = Mapping[str, float]
"""Logarithms of seconds, by stage."""


@dataclass(frozen=True)
class Bursts:
    """The bursts to a variant in one block: where it stands in the first of its rounds, and the seconds of the timed
    calls of each burst by stage; one a round, of the original perhaps more. `beside` is what the original took around
    each of them. `joules` of all of them.
    """

    launch: int
    block: int
    place: int
    rounds: tuple[Calls, ...]
    beside: tuple[Logs, ...]
    joules: float | None = None

    def calls(self, stage: str) -> list[float]:
        """Seconds of all timed calls."""
        return [seconds for calls in self.rounds for seconds in calls[stage]]

    def difference(self, stage: str) -> float:
        """log(t / t_base): the median over the rounds, t being that of a burst's calls."""
        pairs = zip(self.rounds, self.beside, strict=True)
        return median(math.log(median(calls[stage])) - beside[stage] for calls, beside in pairs)

    @property
    def seconds(self) -> float:
        """Of all timed calls in all stages."""
        return sum(sum(seconds) for calls in self.rounds for seconds in calls.values())

    def and_then(self, other: Bursts) -> Bursts:
        """With those of another round."""
        joules = None if self.joules is None or other.joules is None else self.joules + other.joules
        rounds, beside = (*self.rounds, *other.rounds), (*self.beside, *other.beside)
        return Bursts(self.launch, self.block, self.place, rounds, beside, joules)


class Runner(Protocol):
    """What is timed: processes, or a simulation of them."""

    def launch(self, number: int, variants: Collection[str]) -> None:
        """Have fresh processes of these variants."""

    def burst(self, variant: str, cell: str) -> tuple[Calls, float | None]:
        """The timed calls of one burst, and their energy in joules where it can be read."""


@dataclass
class Series:
    """All bursts to one cell (a batch × length, or a task), by variant. Of those in `done` there are enough; of those
    in `narrow` since their intervals are narrow enough.
    """

    cell: str
    bursts: dict[str, list[Bursts]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    narrow: set[str] = field(default_factory=set)

    @property
    def open(self) -> list[str]:
        """The variants that are still timed."""
        return [variant for variant in self.bursts if variant not in self.done]

    @property
    def candidates(self) -> list[str]:
        return [variant for variant in self.bursts if variant not in (BASE, SECOND)]

    @property
    def precise(self) -> bool:
        """Whether all candidates have narrow intervals."""
        return self.narrow.issuperset(self.candidates)

    def stages(self) -> list[str]:
        return list(next(iter(self.bursts.values()))[0].rounds[0])

    def pairs(self, variant: str = BASE) -> int:
        """Blocks in which the original and the variant were timed."""
        return len(self.bursts.get(variant, ()))

    def differences(self, variant: str, stage: str) -> list[list[float]]:
        """log(t_variant / t_base) of each block, by launch."""
        launches: dict[int, list[float]] = {}
        for bursts in self.bursts[variant]:
            launches.setdefault(bursts.launch, []).append(bursts.difference(stage))
        return list(launches.values())

    def ratio(self, variant: str, stage: str, seed: int) -> Ratio | None:
        """None where there are not the pairs of two launches."""
        differences = self.differences(variant, stage)
        return ratio(differences, seed) if len(differences) > 1 else None

    def is_precise(self, variant: str, seed: int, half_width: float) -> bool:
        """Whether the variant's intervals are narrow enough at every stage."""
        ratios = [self.ratio(variant, stage, seed) for stage in self.stages()]
        return all(ratio is not None and ratio.half_width <= half_width for ratio in ratios)


def pooled(every: Iterable[Series], stage: str, seed: int) -> Ratio | None:
    """The original against itself over all cells with this stage: it is 1 in each, so that what they say of the
    machine is said of all. Of each block of a launch the median over the cells that it had.
    """
    blocks: dict[int, dict[int, list[float]]] = {}
    for series in every:
        if stage in series.stages():
            for bursts in series.bursts[SECOND]:
                blocks.setdefault(bursts.launch, {}).setdefault(bursts.block, []).append(bursts.difference(stage))
    differences = [[median(values) for values in by_block.values()] for by_block in blocks.values()]
    return ratio(differences, seed) if len(differences) > 1 else None


def original_again(series: Series, every: Iterable[Series], stage: str, seed: int) -> Ratio | None:
    """The original against itself, with the narrower interval of that in this cell and that over all cells."""
    alone, others = series.ratio(SECOND, stage, seed), [other for other in every if other is not series]
    together = pooled([series, *others], stage, seed) if others else None
    known = (ratio for ratio in (alone, together) if ratio is not None)
    return min(known, key=lambda ratio: ratio.half_width, default=None)


def beside(turn: Sequence[str], calls: Sequence[Calls]) -> list[Logs]:
    """What the original takes beside each burst of a round: of its bursts before and after, each weighed by how near
    it is, or its only one.
    """
    logs = [{stage: math.log(median(seconds)) for stage, seconds in each.items()} for each in calls]
    places = [place for place, variant in enumerate(turn) if variant == BASE]
    around: list[Logs] = []
    for place in range(len(turn)):
        before = max((at for at in places if at <= place), default=places[0])
        after = min((at for at in places if at >= place), default=places[-1])
        weight = (place - before) / (after - before) if after > before else 0.0
        around.append(
            {stage: (1 - weight) * logs[before][stage] + weight * logs[after][stage] for stage in logs[place]}
        )
    return around


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
