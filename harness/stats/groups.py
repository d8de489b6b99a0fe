"""Groups of examples: how right a model is on each of them, and on the worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.stats.aggregate import Estimate, over_seeds
from harness.stats.bootstrap import LEVEL, wilson

if TYPE_CHECKING:
    import numpy as np

LEAST = 20
"""Examples below which a group's score is not compared."""
PERMUTATIONS = 500
PERMUTED = 2_000_000
"""Answers that are moved in all of them: of a large split fewer permutations say as much."""


@dataclass(frozen=True)
class Group:
    """The fraction of right answers in a group of n examples."""

    name: str
    n: int
    score: Estimate


@dataclass(frozen=True)
class WorstGroup:
    """One way to cut a split into groups.

    Attributes:
        groups: Those with at least `LEAST` examples, the worst first.
        too_small: The others, by name, with their examples.
        by_chance: What the worst of so large groups would have, on average, if no group were harder than another.
    """

    groups: tuple[Group, ...]
    too_small: tuple[tuple[str, int], ...]
    by_chance: float

    @property
    def worst(self) -> Group:
        return self.groups[0]


def worst_group(by_seed: Sequence[np.ndarray], groups: Sequence[str], seed: int = 0) -> WorstGroup | None:
    """The fractions of right answers by group; None where fewer than two groups have enough examples.

    The worst group is chosen by the very answers that it is judged by. So its interval, as that of each group, is
    Wilson's at a level of 1 − 0.05 / k for k groups (Bonferroni): all k hold at once with 95 %, whichever is the worst.

    Args:
        by_seed: Which answers are right, (n,) of 0 and 1, for each seed.
        groups: The group of each example, n names.
        seed: Of the permutations that tell what chance alone does.
    """
    import numpy as np

    names = np.asarray(groups, dtype=object)
    counts = {name: int((names == name).sum()) for name in dict.fromkeys(groups)}
    judged = [name for name, count in counts.items() if count >= LEAST]
    if len(judged) < 2:
        return None
    level = 1 - (1 - LEVEL) / len(judged)
    members = {name: np.flatnonzero(names == name) for name in judged}

    def score(name: str) -> Estimate:
        n = counts[name]
        right = [int(answers[members[name]].sum()) for answers in by_seed]
        return over_seeds([(k / n, *wilson(k, n, level)) for k in right], (0.0, 1.0))

    scored = sorted((Group(name, counts[name], score(name)) for name in judged), key=lambda group: group.score.value)
    too_small = tuple((name, count) for name, count in counts.items() if count < LEAST)
    return WorstGroup(tuple(scored), too_small, _by_chance(np.mean(by_seed, axis=0), list(members.values()), seed))


def _by_chance(right: np.ndarray, members: Sequence[np.ndarray], seed: int) -> float:
    """The mean over permutations of the answers of the least fraction of right ones in any group."""
    import numpy as np

    random = np.random.Generator(np.random.PCG64(seed))
    sizes = np.asarray([len(rows) for rows in members])
    starts = np.cumsum(sizes) - sizes
    pooled = right[np.concatenate(members)]
    count = min(PERMUTATIONS, max(50, PERMUTED // len(pooled)))
    shuffled = random.permuted(np.tile(pooled, (count, 1)), axis=1)
    return float((np.add.reduceat(shuffled, starts, axis=1) / sizes).min(axis=1).mean())
