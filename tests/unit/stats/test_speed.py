"""Ratios of times and their intervals; percentiles only where there are values enough."""

from __future__ import annotations

import itertools
import math
import statistics

import numpy as np
import pytest

from harness.stats.speed import LOOKING, hodges_lehmann, needed, percentiles, ratio


def test_hodges_lehmann_is_the_median_of_all_walsh_averages():
    values = np.random.default_rng(0).normal(size=9)
    walsh = [(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)]
    assert hodges_lehmann(values[None])[0] == pytest.approx(statistics.median(walsh))


def test_a_spike_hardly_moves_the_ratio():
    calm = np.full((5, 4), math.log(1.1))
    spiked = calm.copy()
    spiked[2, 1] += 3
    assert ratio(spiked).value == pytest.approx(1.1)


def test_equal_launches_leave_no_doubt():
    found = ratio([[0.1, 0.2, 0.3]] * 4)
    assert found.low == pytest.approx(found.value) and found.high == pytest.approx(found.value)
    assert (found.pairs, found.launches) == (12, 4)


def test_launches_that_differ_widen_the_interval_more_than_pairs_that_do():
    within = [[-0.1, 0.1, -0.1, 0.1]] * 5
    between = [[value] * 4 for value in (-0.1, 0.1, -0.1, 0.1, 0.0)]
    assert ratio(between).half_width > 3 * ratio(within).half_width


def test_few_launches_get_students_t():
    """With launches of one pair each it is close to the t interval of their mean."""
    values = np.random.default_rng(1).normal(0.05, 0.01, (8, 1))
    half = LOOKING * 2.365 * values.std(ddof=1) / math.sqrt(8)
    assert ratio(values).half_width == pytest.approx(half, rel=0.35)


def test_the_inverse_is_how_many_times_as_fast():
    found = ratio(np.random.default_rng(2).normal(math.log(0.8), 0.01, (5, 4)))
    inverse = found.inverse
    assert inverse.value == pytest.approx(1 / found.value)
    assert inverse.low < inverse.value < inverse.high
    assert inverse.half_width == pytest.approx(found.half_width)
    assert found.excludes_one and inverse.excludes_one


def test_the_interval_is_deterministic_in_the_seed():
    values = np.random.default_rng(3).normal(size=(5, 4))
    assert ratio(values, 7) == ratio(values, 7)
    assert ratio(values, 7) != ratio(values, 8)


@pytest.mark.parametrize("differences", [[[0.1, 0.2]], [[], []]])
def test_one_launch_has_no_interval(differences):
    with pytest.raises(ValueError, match="two launches"):
        ratio(differences)


@pytest.mark.parametrize(("percentile", "n"), [(90, 29), (95, 59), (99, 299)])
def test_percentiles_need_values_enough(percentile, n):
    assert needed(percentile) == n
    name = f"p{percentile}"
    assert name not in percentiles(range(1, n))
    assert name in percentiles(range(1, n + 1))


def test_the_bound_of_a_percentile_lies_above_it():
    values = np.arange(1000.0)
    found = percentiles(values)
    for percentile in (50, 90, 95, 99):
        one = found[f"p{percentile}"]
        assert one.value == pytest.approx(np.quantile(values, percentile / 100))
        assert one.value < one.high <= values.max()
        assert one.n == 1000


def test_the_bound_covers_as_often_as_it_says():
    random = np.random.default_rng(4)
    covered = [percentiles(random.random(59))["p95"].high >= 0.95 for _ in range(2000)]
    assert 0.935 <= np.mean(covered) <= 0.97


def test_no_values_have_no_percentiles():
    assert percentiles([]) == {}
