"""The timing protocol for any two callables of one process: in turns, in blocks, the first against itself as well."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Literal

from harness.core.errors import InconclusiveError, RegressionError
from harness.measurement.protocol import HALF_WIDTH, MARGINS, measure, verdict
from harness.measurement.series import BASE, SECOND, Calls
from harness.measurement.validity import Validity
from harness.measurement.worker import BURST_SECONDS, UNTIMED_CALLS

CANDIDATE = "candidate"
STAGE = "call"
CELL = "callables"
MARGIN = MARGINS["cpu"]
BUDGET = 120.0


@dataclass(frozen=True)
class PairedTiming:
    """How long a candidate takes beside its base.

    Attributes:
        ratio: Time of the candidate over that of the base; above 1 is slower. None where too few pairs were timed.
        low: Lower end of the 95 % interval.
        high: Upper end of it.
        pairs: How many pairs of bursts it rests on.
        validity: `VALID`, `IMPRECISE` or `INVALID`.
        reason: Why it is not valid.
    """

    ratio: float | None
    low: float | None
    high: float | None
    pairs: int
    validity: str
    reason: str = ""

    def judged(self, margin: float = MARGIN) -> tuple[Literal["SLOWER", "OK", "INCONCLUSIVE"], str]:
        """Whether the candidate is slower by the margin, surely less, or neither can be said; with a sentence."""
        if self.ratio is None or self.low is None or self.high is None or self.validity == Validity.INVALID:
            return "INCONCLUSIVE", f"the timing is not valid: {self.reason}"
        numbers = f"{self.ratio:.3f} times as long [{self.low:.3f}, {self.high:.3f}]"
        if self.low > 1 and self.ratio >= 1 + margin:
            return "SLOWER", f"it takes {numbers}, a margin of {margin:g} is allowed"
        if self.high < 1 + margin:
            return "OK", f"it takes {numbers}"
        return "INCONCLUSIVE", f"it takes {numbers}; slower by {100 * margin:g} % is neither shown nor excluded"

    def assert_not_slower(self, margin: float = MARGIN) -> PairedTiming:
        """Assert that the candidate is not slower by the margin.

        Args:
            margin: How much longer it may take, as a fraction.

        Returns:
            The timing.

        Raises:
            RegressionError: it is slower, by its interval and by at least the margin; an AssertionError.
            InconclusiveError: the timing is not valid, or too wide to tell; an AssertionError, which the pytest plug-in
                turns into a skip, unless it is strict.
        """
        __tracebackhide__ = True
        outcome, sentence = self.judged(margin)
        if outcome == "SLOWER":
            raise RegressionError(f"{outcome}: {sentence}")
        if outcome == "INCONCLUSIVE":
            raise InconclusiveError(f"{outcome}: {sentence}")
        return self


class _InTurns:
    """A runner of the protocol. What the protocol calls a launch is a stretch of time here: processes stay."""

    def __init__(self, calls: dict[str, Callable[[], Any]], timer: Callable[[], float]) -> None:
        self._calls, self._timer = calls, timer

    def launch(self, number: int, variants: Collection[str]) -> None:
        gc.collect()

    def burst(self, variant: str, cell: str) -> tuple[Calls, float | None]:
        call, timer = self._calls[variant], self._timer
        for _ in range(UNTIMED_CALLS):
            before = timer()
            call()
            if timer() - before > BURST_SECONDS:
                break
        seconds: list[float] = []
        while not seconds or sum(seconds) < BURST_SECONDS:
            before = timer()
            call()
            seconds.append(max(timer() - before, 1e-9))
        return {STAGE: seconds}, None


def time_pair(
    base: Callable[[], Any],
    candidate: Callable[[], Any],
    margin: float = MARGIN,
    half_width: float = HALF_WIDTH,
    budget: float = BUDGET,
    seed: int = 0,
    timer: Callable[[], float] = time.perf_counter,
) -> PairedTiming:
    """Time two callables by the protocol of `harness measure`: blocks of short bursts in random order and its reverse,
    the base a second time as a check, until the interval is narrow, 60 pairs are there, or the budget is spent.

    Args:
        base: What is compared with; it takes no argument.
        candidate: What is judged.
        margin: The timing is valid where the base against itself is within half of it.
        half_width: Of an interval that is narrow enough, in logarithms.
        budget: Seconds.
        seed: Of the orders.
        timer: The clock.

    Returns:
        The ratio with its interval, and whether it is valid.
    """
    runner = _InTurns({BASE: base, SECOND: base, CANDIDATE: candidate}, timer)
    deadline = timer() + budget if math.isfinite(budget) else math.inf
    series = measure(runner, [CELL], [CANDIDATE], seed, deadline, clock=timer, half_width=half_width)[CELL]
    ratio = series.ratio(CANDIDATE, STAGE, seed)
    standing = verdict(series, STAGE, CANDIDATE, margin, seed, half_width)
    if ratio is None:
        return PairedTiming(None, None, None, series.pairs(), standing.standing, standing.reason)
    return PairedTiming(ratio.value, ratio.low, ratio.high, series.pairs(), standing.standing, standing.reason)
