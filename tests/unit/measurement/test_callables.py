"""Two callables timed in turns, on a clock of the test's own."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from harness.core.errors import InconclusiveError, RegressionError
from harness.measurement.callables import PairedTiming, time_pair


class Clock:
    """A clock that callables move on."""

    def __init__(self) -> None:
        self.now = 0.0
        self.random = random.Random(0)

    def __call__(self) -> float:
        return self.now

    def taking(self, seconds: float, spread: float = 0.002) -> Callable[[], None]:
        def call() -> None:
            self.now += seconds * (1 + self.random.gauss(0, spread))

        return call


def timing(factor: float, spread: float = 0.002, **settings: float) -> PairedTiming:
    clock = Clock()
    return time_pair(clock.taking(0.01, spread), clock.taking(0.01 * factor, spread), timer=clock, **settings)


@pytest.mark.parametrize("factor", [pytest.param(factor, marks=pytest.mark.slow) for factor in (0.5, 1.0, 1.3)])
def test_the_ratio_is_that_of_the_times(factor: float):
    measured = timing(factor)
    assert measured.validity == "VALID" and measured.pairs >= 20
    assert measured.ratio == pytest.approx(factor, rel=0.01)
    assert measured.low is not None and measured.high is not None and measured.low <= measured.ratio <= measured.high


@pytest.mark.slow
def test_what_is_slower_by_the_margin_is_a_regression_and_what_is_not_passes():
    with pytest.raises(RegressionError, match=r"SLOWER: it takes 1\.\d+ times as long \[.*a margin of 0.05 is allowed"):
        timing(1.2).assert_not_slower()
    assert timing(1.2).assert_not_slower(margin=0.3).validity == "VALID"
    timing(1.0).assert_not_slower(margin=0.05)
    timing(0.5).assert_not_slower()


@pytest.mark.slow
def test_what_cannot_be_told_is_inconclusive():
    with pytest.raises(InconclusiveError, match="neither shown nor excluded"):
        timing(1.04, spread=0.3).assert_not_slower(margin=0.05)
    with pytest.raises(InconclusiveError, match=r"the timing is not valid: \d+ pairs of the 20 needed"):
        timing(1.0, budget=0.5).assert_not_slower()


@pytest.mark.slow
def test_drift_that_hits_both_cancels():
    clock = Clock()

    def drifting(seconds: float) -> Callable[[], None]:
        def call() -> None:
            clock.now += seconds * (1 + clock.now / 100)

        return call

    measured = time_pair(drifting(0.01), drifting(0.01), timer=clock)
    assert measured.ratio == pytest.approx(1.0, abs=0.01)


def test_an_error_of_a_callable_is_raised():
    with pytest.raises(ZeroDivisionError):
        time_pair(lambda: 1 // 0, lambda: None)
