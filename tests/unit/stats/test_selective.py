"""Selective answers by hand, by a plain reference, and by scikit-learn."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from harness.stats.selective import COVERAGES, detection, log_odds, report


def logits_of(confidences: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Logits of two classes, of which the first is always said, with these probabilities; and labels."""
    p = np.asarray(confidences)
    return np.log(np.stack([p, 1 - p], axis=1)), np.where(right, 0, 1)


def drawn(n: int, k: int, levels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits with many ties, and labels that they tell something of."""
    random = np.random.default_rng(seed)
    logits = np.round(random.normal(size=(n, k)) * levels) / levels
    return logits, (logits + random.gumbel(size=(n, k))).argmax(axis=1)


def plain_area(right: list[bool]) -> float:
    """The mean over k of the fraction of wrong answers among the first k."""
    return float(np.mean([np.mean([not is_right for is_right in right[:k]]) for k in range(1, len(right) + 1)]))


def test_a_worked_example():
    """From the most confident on: right, right, wrong, right, wrong. Risks 0, 0, 1/3, 1/4, 2/5."""
    found = report(*logits_of([0.6, 0.9, 0.95, 0.8, 0.7], [False, True, True, False, True]))
    assert found.aurc.value == pytest.approx((0 + 0 + 1 / 3 + 1 / 4 + 2 / 5) / 5)
    assert found.excess.value == pytest.approx(found.aurc.value - (0 + 0 + 0 + 1 / 4 + 2 / 5) / 5)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx(5 / 6)
    assert found.accuracy == pytest.approx(3 / 5)
    assert [measured.value for measured in found.accuracies] == pytest.approx([2 / 3, 3 / 4, 3 / 5])
    assert dict(found.curve) == pytest.approx({1 / 5: 0, 2 / 5: 0, 3 / 5: 1 / 3, 4 / 5: 1 / 4, 1: 2 / 5})


def test_examples_of_equal_confidence_count_as_the_mean_over_their_orders():
    right, confidences = [True, False, True, False, False], [0.9, 0.8, 0.8, 0.8, 0.6]
    orders = [[0, *middle, 4] for middle in itertools.permutations([1, 2, 3])]
    by_order = [plain_area([right[index] for index in order]) for order in orders]
    found = report(*logits_of(confidences, right))
    assert found.aurc.value == pytest.approx(np.mean(by_order))
    firsts = [np.mean([right[index] for index in order[:3]]) for order in orders]
    assert found.accuracies[COVERAGES.index(0.5)].value == pytest.approx(np.mean(firsts))


@pytest.mark.parametrize("levels", [1, 4, 1000])
def test_the_area_under_roc_is_that_of_scikit_learn(levels):
    logits, labels = drawn(300, 3, levels, 1)
    found = report(logits, labels)
    is_right = logits.argmax(axis=1) == labels
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx(roc_auc_score(is_right, log_odds(logits)))
    inside, outside = log_odds(logits[:120]), log_odds(logits[120:])
    is_inside = np.arange(300) < 120
    assert detection(inside, outside).value == pytest.approx(roc_auc_score(is_inside, np.r_[inside, outside]))


def test_a_sample_in_which_an_example_comes_twice_is_scored_as_if_it_stood_there_twice():
    """The interval is that of a bootstrap which draws rows and computes everything anew."""
    logits, labels = drawn(60, 3, 4, 2)
    random = np.random.Generator(np.random.PCG64(0))
    rows = [random.integers(0, 60, 60) for _ in range(40)]
    areas = [report(logits[drawn], labels[drawn], resamples=1).aurc.value for drawn in rows]
    found = report(logits, labels, resamples=40)
    low, high = np.quantile(areas, [0.025, 0.975])
    assert (found.aurc.low, found.aurc.high) == pytest.approx((low, high))


def test_confidences_that_round_to_one_keep_their_order():
    logits = np.array([[50.0, 0.0], [60.0, 0.0], [70.0, 0.0]])
    assert list(np.argsort(log_odds(logits))) == [0, 1, 2]
    found = report(logits, np.array([1, 0, 0]))
    assert found.aurc.value == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert found.excess.value == pytest.approx(0)


@pytest.mark.parametrize(("label", "area"), [(0, 0.0), (1, 1.0)])
def test_answers_that_are_all_right_or_all_wrong_have_no_area_under_roc(label, area):
    logits = np.tile([2.0, 0.0], (30, 1)) + np.arange(30)[:, None] * [0.1, 0]
    found = report(logits, np.full(30, label))
    assert found.auroc is None
    assert found.aurc.value == pytest.approx(area)
    assert found.excess.value == pytest.approx(0)


def test_a_model_that_says_the_same_of_all_has_no_order_to_gain_from():
    found = report(np.tile([1.0, 0.0], (200, 1)), np.arange(200) % 4 // 3)
    assert found.aurc.value == pytest.approx(0.25)
    assert [measured.value for measured in found.accuracies] == pytest.approx([0.75] * 3)
    assert found.auroc is not None
    assert found.auroc.value == pytest.approx(0.5)


def test_intervals_hold_the_value_and_shrink_with_examples():
    few, many = (report(*drawn(n, 3, 1000, 3)) for n in (100, 2000))
    for found in (few, many):
        assert found.auroc is not None
        for measured in (found.aurc, found.excess, found.auroc, *found.accuracies):
            assert measured.low <= measured.value <= measured.high
            assert math.isfinite(measured.low)
    assert many.aurc.high - many.aurc.low < (few.aurc.high - few.aurc.low) / 2


def test_an_accuracy_at_a_coverage_that_no_sample_changes_has_wilsons_interval():
    labels = np.zeros(100, dtype=int)
    found = report(np.tile([2.0, 0.0], (100, 1)) + np.arange(100)[:, None] * [0.01, 0.0], labels)
    for coverage, accuracy in zip(COVERAGES, found.accuracies, strict=True):
        k = round(100 * coverage)
        assert (accuracy.low, accuracy.high) == pytest.approx((k / (k + 1.959964**2), 1.0), abs=1e-6)
