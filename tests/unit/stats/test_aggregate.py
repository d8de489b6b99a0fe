"""Scores over seeds, metrics and tasks, by hand."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.stats.aggregate import Estimate, over_metrics, over_seeds, over_tasks, t_quantile

UNIT = (0.0, 1.0)


def test_one_seed_keeps_its_interval_and_has_no_deviation():
    assert over_seeds([(0.8, 0.75, 0.84)], UNIT) == Estimate(0.8, pytest.approx(0.75), pytest.approx(0.84), (0.8,))


def test_seeds_widen_the_examples_interval_in_quadrature():
    found = over_seeds([(0.70, 0.66, 0.73), (0.72, 0.68, 0.75), (0.74, 0.70, 0.77)], UNIT)
    assert found.value == pytest.approx(0.72)
    assert found.sd == pytest.approx(0.02)
    spread = 4.303 * 0.02 / math.sqrt(3)
    assert found.low == pytest.approx(0.72 - math.hypot(0.04, spread), abs=1e-5)
    assert found.high == pytest.approx(0.72 + math.hypot(0.03, spread), abs=1e-5)
    assert found.per_seed == (0.70, 0.72, 0.74)


def test_seeds_that_agree_do_not_narrow_the_interval():
    found = over_seeds([(0.8, 0.75, 0.84)] * 5, UNIT)
    assert (found.low, found.high) == (pytest.approx(0.75), pytest.approx(0.84))
    assert found.sd == 0


def test_an_interval_over_seeds_keeps_to_the_scale():
    found = over_seeds([(0.5, 0.4, 0.6), (1.0, 0.98, 1.0)], UNIT)
    assert (found.low, found.high) == UNIT
    assert over_seeds([(-0.9, -1.0, -0.8), (0.9, 0.8, 1.0)], (-1.0, 1.0)).low == -1.0


def test_a_scale_may_have_no_upper_bound():
    found = over_seeds([(90.0, 80.0, 110.0)], (1.0, None))
    assert (found.low, found.high) == (pytest.approx(80.0), pytest.approx(110.0))


def test_metrics_of_a_task_average_their_half_widths():
    found = over_metrics([Estimate(0.8, 0.7, 0.85, (0.8,)), Estimate(0.6, 0.57, 0.65, (0.6,))])
    assert (found.value, found.low, found.high) == (pytest.approx(0.7), pytest.approx(0.635), pytest.approx(0.75))


def test_tasks_of_a_suite_add_their_half_widths_in_quadrature():
    found = over_tasks([Estimate(0.8, 0.77, 0.84), Estimate(0.6, 0.56, 0.63)])
    assert found.value == pytest.approx(0.7)
    assert found.low == pytest.approx(0.7 - 0.05 / 2)
    assert found.high == pytest.approx(0.7 + 0.05 / 2)


def test_an_average_deviates_over_seeds_as_its_per_seed_averages_do():
    found = over_tasks([Estimate(0.8, 0.7, 0.9, (0.7, 0.9)), Estimate(0.6, 0.5, 0.7, (0.7, 0.5))])
    assert found.per_seed == (pytest.approx(0.7), pytest.approx(0.7))
    assert found.sd == pytest.approx(0, abs=1e-12)
    uneven = over_tasks([Estimate(0.8, 0.7, 0.9, (0.7, 0.9)), Estimate(0.6, 0.5, 0.7, (0.6,))])
    assert (uneven.per_seed, uneven.sd) == ((), None)


scores = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).map(lambda three: tuple(sorted(three)))


@given(st.lists(scores, min_size=1, max_size=6))
def test_every_combination_holds_its_value_and_keeps_to_the_scale(sorted_scores):
    triples = [(value, low, high) for low, value, high in sorted_scores]
    singles = [over_seeds([triple], UNIT) for triple in triples]
    for found in (over_seeds(triples, UNIT), over_metrics(singles), over_tasks(singles)):
        assert -1e-9 <= found.low <= found.value + 1e-9
        assert found.value - 1e-9 <= found.high <= 1 + 1e-9


def test_the_t_quantile_agrees_with_scipy():
    from scipy.stats import t

    for degrees in [*range(1, 41), 60, 99, 500, 10_000]:
        assert t_quantile(degrees) == pytest.approx(t.ppf(0.975, degrees), abs=6e-4)


def test_aggregation_needs_the_standard_library_alone():
    code = "import sys, harness.stats.aggregate; assert not {'numpy', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
