"""Calibration on data of which it is known, and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax

from harness.stats.calibration import (
    TEMPERATURES,
    bins,
    ece,
    ece_change,
    fit_temperature,
    halves,
    log_probabilities,
    measure,
    report,
)


def drawn(n: int, k: int = 3, seed: int = 0) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """True logits (n, k) and labels drawn by their softmax: perfectly calibrated."""
    random = np.random.default_rng(seed)
    logits = random.normal(scale=1.5, size=(n, k))
    labels = (logits + random.gumbel(size=(n, k))).argmax(axis=1)
    return logits, labels, [f"dev-{index}" for index in range(n)]


def test_a_worked_example():
    """Two confidences of 0.8, one of them wrong, and one of 0.6 that is right."""
    logits = np.log([[0.8, 0.2], [0.2, 0.8], [0.6, 0.4]])
    found = measure(logits, np.array([0, 0, 0]))
    assert found.ece.value == pytest.approx((2 * abs(0.5 - 0.8) + abs(1 - 0.6)) / 3)
    assert found.brier.value == pytest.approx((2 * 0.2**2 + 2 * 0.8**2 + 2 * 0.4**2) / 3)
    assert found.nll.value == pytest.approx(-np.log([0.8, 0.2, 0.6]).mean())


def test_bins_are_closed_above():
    assert bins(np.array([1 / 15, 1 / 15 + 1e-9, 1.0, 0.5])).tolist() == [0, 1, 14, 7]


def test_calibrated_logits_show_no_more_error_than_chance():
    logits, labels, ids = drawn(20_000)
    found = report(logits, labels, ids)
    assert found.before.ece.value < 0.015
    assert found.before.ece.value == pytest.approx(found.before.ece.if_calibrated, abs=0.006)
    assert found.temperatures == pytest.approx((1, 1), abs=0.06)


def test_logits_three_times_too_large_are_mended_by_a_temperature_of_three():
    logits, labels, ids = drawn(20_000)
    true, found = report(logits, labels, ids), report(3 * logits, labels, ids)
    assert found.temperatures == pytest.approx(tuple(3 * one for one in true.temperatures), rel=1e-4)
    assert found.temperatures == pytest.approx((3, 3), abs=0.2)
    assert found.before.ece.value > 0.1
    assert found.before.ece.low > 0.09
    assert found.after.nll.value == pytest.approx(true.before.nll.value, abs=1e-3)
    assert found.after.brier.value == pytest.approx(true.before.brier.value, abs=1e-3)
    assert found.after.ece.value < 0.015


def test_scaling_changes_no_class_and_so_no_accuracy():
    logits, labels, ids = drawn(500, k=5)
    found = report(4 * logits, labels, ids)
    scaled = 4 * logits / np.where(halves(ids), *found.temperatures)[:, None]
    assert (scaled.argmax(axis=1) == logits.argmax(axis=1)).all()
    assert found.accuracy == float((scaled.argmax(axis=1) == labels).mean())


def test_a_temperature_knows_nothing_of_the_examples_it_scales():
    logits, labels, ids = drawn(400)
    before = report(logits, labels, ids).temperatures
    first = halves(ids)
    changed = np.where(first, (labels + 1) % 3, labels)
    after = report(logits, changed, ids).temperatures
    assert after[0] == before[0]
    assert after[1] != before[1]


def test_halves_are_equal_and_follow_the_ids():
    ids = [f"dev-{index}" for index in range(101)]
    first = halves(ids)
    assert first.sum() == 50
    assert (halves(ids[::-1])[::-1] == first).all()


def test_the_temperature_has_the_least_loss():
    logits, labels, _ = drawn(300, seed=3)
    best = fit_temperature(2 * logits, labels)
    grid = np.exp(np.linspace(np.log(0.1), np.log(10), 400))
    losses = [-log_softmax(2 * logits / one, axis=1)[range(300), labels].mean() for one in grid]
    assert best == pytest.approx(grid[int(np.argmin(losses))], rel=0.02)


def test_logits_that_are_always_right_or_say_nothing_end_at_the_ends_of_the_range():
    labels = np.arange(40) % 2
    right = np.eye(2)[labels]
    low, high = TEMPERATURES
    assert fit_temperature(right, labels) < 4 * low
    assert fit_temperature(np.eye(2)[1 - labels], labels) > high / 2


def test_large_logits_do_not_overflow():
    logs = log_probabilities(np.array([[1e9, -1e9, 0.0]], dtype=np.float32))
    assert np.isfinite(logs).all()
    assert logs[0, 0] == 0


@pytest.mark.parametrize("n", [20, 200])
def test_few_examples_look_badly_calibrated_and_the_report_says_so(n: int):
    """The error of a calibrated model on few examples is nearly all chance; what chance shows is told."""
    found = [measure(*drawn(n, seed=seed)[:2], resamples=200) for seed in range(60)]
    error = np.mean([one.ece.value for one in found])
    assert error > 0.03
    assert np.mean([one.ece.if_calibrated for one in found]) == pytest.approx(error, rel=0.1)
    for one in found:
        assert 0 <= one.ece.low <= one.ece.value <= one.ece.high


def test_intervals_cover():
    """Of the expected error at this number of examples, and of the true likelihood."""
    logits, labels, _ = drawn(100_000, seed=9)
    logits = 2 * logits
    true = measure(logits, labels, resamples=20)
    parts = [slice(start, start + 400) for start in range(0, 80_000, 400)]
    found = [measure(logits[part], labels[part], resamples=200) for part in parts]
    expected = np.mean([one.ece.value for one in found])
    assert np.mean([one.ece.low <= expected <= one.ece.high for one in found]) > 0.89
    assert np.mean([one.nll.low <= true.nll.value <= one.nll.high for one in found]) > 0.89


def test_the_change_of_the_calibration_error_is_the_difference_of_both_errors():
    logits, labels, _ = drawn(600)
    found = ece_change(logits, 3 * logits, labels)
    before, after = (measure(one, labels).ece.value for one in (logits, 3 * logits))
    assert found.value == pytest.approx(after - before)
    assert ece(logits, labels) == pytest.approx(before)
    assert 0 < found.low <= found.value <= found.high
    back = ece_change(3 * logits, logits, labels)
    assert (back.value, back.low, back.high) == pytest.approx((-found.value, -found.high, -found.low))


def test_a_model_against_itself_has_no_change_of_calibration():
    logits, labels, _ = drawn(200)
    found = ece_change(logits, logits, labels)
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_pairing_makes_the_interval_narrower_than_that_of_two_errors_apart():
    logits, labels, _ = drawn(600)
    nearly = logits + np.random.default_rng(1).normal(scale=0.02, size=logits.shape)
    found, own = ece_change(logits, nearly, labels), measure(logits, labels).ece
    assert found.high - found.low < 0.6 * np.hypot(own.high - own.low, own.high - own.low)
