"""What a measurement will need, told by its first launch, and what becomes of a budget that is too small."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.errors import HarnessError
from harness.measurement import protocol
from harness.measurement.needs import (
    LEAST_LAUNCHES,
    MOST_LAUNCHES,
    Costs,
    Forecast,
    forecast,
    launches_for,
    outlook,
    reach,
    spread_of,
)
from harness.measurement.protocol import measure
from tests.benchmarks.simulated import Noise, SimulatedBench

NOISE = Noise(trend=0, spiked_visits=0, spiked_calls=0)
COSTS = Costs({"small": 10.0, "large": 60.0}, {"small": 1.0, "large": 1.0}, launching=5.0)
CALM = Forecast(0.004, LEAST_LAUNCHES, LEAST_LAUNCHES)
NOISY = Forecast(0.03, 12, 8)
HOPELESS = Forecast(0.2, None, None)


def first_launch(noise: Noise, seed: int):
    return measure(SimulatedBench({"b": 1.0}, noise, seed), ["c"], ["b"], seed, deadline=-1.0)["c"]


def test_the_first_launch_tells_how_many_are_needed():
    """In the median over machines of one kind, to within a third of what they then take."""
    noise = replace(NOISE, call=0.1)
    told, took = [], []
    for seed in range(5):
        series = first_launch(noise, seed)
        told.append(forecast(series, 0.02).likely or MOST_LAUNCHES)
        whole = measure(SimulatedBench({"b": 1.0}, noise, seed), ["c"], ["b"], seed)["c"]
        took.append(whole.pairs() // protocol.BLOCKS_PER_LAUNCH)
    assert LEAST_LAUNCHES < sorted(took)[2] < MOST_LAUNCHES
    assert sorted(told)[2] == pytest.approx(sorted(took)[2], rel=0.34)


def test_more_launches_reach_a_narrower_interval():
    widths = [reach(launches, 0.03) for launches in range(2, MOST_LAUNCHES + 1)]
    assert widths == sorted(widths, reverse=True)
    needed = launches_for(0.02, 0.03)
    assert needed is not None and reach(needed, 0.03) <= 0.02 < reach(needed - 1, 0.03)
    assert launches_for(0.02, 0.5) is None and launches_for(0.02, 0.0) == LEAST_LAUNCHES
    assert spread_of(first_launch(replace(NOISE, call=0.2), 0)) > 2 * spread_of(first_launch(NOISE, 0))


def test_without_a_budget_it_is_told_and_goes_on():
    seen = outlook({"small": CALM, "large": HOPELESS}, COSTS, 0.02, None, float("inf"), False)
    assert seen.chosen == ["small", "large"] and not seen.dropped
    assert "pairs: small 20, large more than 60" in seen.lines[0]


def test_a_workload_that_does_not_fit_is_left_out():
    seen = outlook({"small": CALM, "large": NOISY}, COSTS, 0.02, 120.0, 100.0, False)
    assert list(seen.chosen) == ["small"]
    assert seen.dropped == {"large": "±2 % takes some 397 s more than --budget leaves"}
    seen = outlook({"small": CALM, "large": HOPELESS}, COSTS, 0.02, 9000.0, 9000.0, False)
    assert list(seen.chosen) == ["small"] and "60 pairs come to ±" in seen.dropped["large"]


def test_a_budget_that_cannot_do_is_refused_with_the_one_that_would():
    with pytest.raises(HarnessError) as refused:
        outlook({"small": NOISY}, COSTS, 0.02, 120.0, 100.0, False)
    assert "--budget 120s: at small blocks differ by ±3.0 %" in str(refused.value)
    assert "give --budget 4m, --precision 0.0" in str(refused.value) and "--allow-short" in str(refused.value)
    seen = outlook({"small": NOISY}, COSTS, 0.02, 120.0, 100.0, True)
    assert list(seen.chosen) == ["small"] and not seen.dropped


def test_one_that_may_do_is_warned_of():
    seen = outlook({"small": NOISY}, COSTS, 0.02, 160.0, 120.0, False)
    assert list(seen.chosen) == ["small"]
    assert "the budget may end before that: 4m would be enough" in seen.lines[-1]
