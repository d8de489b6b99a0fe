"""Bootstrap intervals: the right distribution, the right width, the same every time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import metrics
from harness.core.errors import HarnessError
from harness.stats.bootstrap import interval, wilson
from tests.unit.metrics.given import NUMBERS, data

ALL = pytest.mark.parametrize("name", NUMBERS)


def resampled_alike(name: str, n: int, classes: int = 2) -> float:
    """The p-value of a Kolmogorov–Smirnov test of fast samples against a loop over the metric itself."""
    from scipy.stats import ks_2samp

    metric = metrics.get(name)
    predictions, references = data(name, n, classes=classes)
    draws = np.random.default_rng(1).integers(0, n, (800, n))
    slow = [metric.compute(predictions[drawn], references[drawn]) for drawn in draws]
    assert metric.resample is not None
    fast = metric.resample(predictions, references, np.random.default_rng(2), 8000)
    assert len(fast) == 8000
    # Both rounded alike: equal scores that differ in the last bit would be steps of their own.
    return float(ks_2samp(np.round(slow, 9), np.round(fast, 9)).pvalue)


def test_resampled_accuracy_is_binomial():
    """Of 60 examples, 56 right: the exact distribution of the bootstrap is known."""
    from scipy.stats import binom, chisquare

    references = np.zeros(60, dtype=int)
    predictions = (np.arange(60) < 4).astype(int)
    resample = metrics.get("accuracy").resample
    assert resample is not None
    right = np.rint(resample(predictions, references, np.random.default_rng(0), 100_000) * 60).astype(int)
    usual = range(50, 61)
    seen = [*(np.sum(right == count) for count in usual), np.sum(right < 50)]
    expected = [*(binom.pmf(count, 60, 56 / 60) for count in usual), binom.cdf(49, 60, 56 / 60)]
    assert chisquare(seen, np.array(expected) / sum(expected) * 100_000).pvalue > 0.01


@ALL
def test_the_fast_resampling_has_the_distribution_of_drawing_examples(name):
    assert resampled_alike(name, 60) > 0.01


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "matthews_correlation"])
def test_the_fast_resampling_of_many_classes_has_the_distribution_of_drawing_examples(name):
    assert resampled_alike(name, 80, classes=12) > 0.01


@pytest.mark.parametrize("name", ["pearson", "spearman"])
@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(-4, 4)), min_size=2, max_size=12), st.integers(0, 99))
def test_a_weighted_correlation_is_that_of_the_drawn_examples(name, pairs, seed):
    """Ties, and samples with a constant side, included."""
    predictions, references = np.array(pairs, dtype=float).T / 3
    n = len(pairs)
    resample = metrics.get(name).resample
    assert resample is not None
    fast = resample(predictions, references, np.random.default_rng(seed), 5)
    random = np.random.default_rng(seed)
    for score in fast:
        drawn = random.integers(0, n, n)
        assert score == pytest.approx(metrics.get(name).compute(predictions[drawn], references[drawn]), abs=1e-9)


@ALL
def test_an_interval_is_the_same_for_the_same_seed_and_rests_on_other_samples_for_another(name):
    metric = metrics.get(name)
    given = data(name, 200)
    assert interval(metric, *given, seed=3) == interval(metric, *given, seed=3)
    assert metric.resample is not None
    one, other = (metric.resample(*given, np.random.default_rng(seed), 20) for seed in (3, 4))
    assert not np.array_equal(one, other)


@ALL
def test_an_interval_holds_its_score_and_keeps_to_the_scale(name):
    metric = metrics.get(name)
    for n in (1, 2, 3, 10):
        for seed in range(20):
            predictions, references = data(name, n, seed)
            found = interval(metric, predictions, references, resamples=50)
            assert metric.low <= found.low <= metric.score(predictions, references) <= found.high <= metric.high


@ALL
def test_more_examples_give_a_narrower_interval_and_a_higher_level_a_wider_one(name):
    metric = metrics.get(name)

    def width(n: int, level: float = 0.95) -> float:
        found = interval(metric, *data(name, n), level=level)
        return found.high - found.low

    assert width(2000) < width(200) < width(200, level=0.99)


def test_the_interval_of_accuracy_covers_the_truth_as_often_as_it_says():
    """400 test sets of 300 examples from a model that is right in 80 %: near 95 % of the intervals hold 0.8."""
    random = np.random.default_rng(7)
    references = np.zeros(300, dtype=int)
    covered = 0
    for seed in range(400):
        predictions = (random.random(300) > 0.8).astype(int)
        found = interval(metrics.get("accuracy"), predictions, references, seed=seed)
        covered += found.low <= 0.8 <= found.high
    assert 0.92 <= covered / 400 <= 0.98


def test_the_interval_of_pearson_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(8)
    covered = 0
    for seed in range(300):
        x = random.normal(size=200)
        y = 0.6 * x + 0.8 * random.normal(size=200)
        found = interval(metrics.get("pearson"), x, y, seed=seed, resamples=500)
        covered += found.low <= 0.6 <= found.high
    assert 0.90 <= covered / 300 <= 0.985


def test_a_perfect_and_a_hopeless_accuracy_have_an_honest_width():
    zeros = np.zeros(100, dtype=int)
    perfect = interval(metrics.get("accuracy"), zeros, zeros)
    assert perfect.high == 1.0
    assert perfect.low == pytest.approx(100 / (100 + 1.959964**2), abs=1e-6)
    hopeless = interval(metrics.get("accuracy"), zeros + 1, zeros)
    assert (hopeless.low, hopeless.high) == pytest.approx((0.0, 1 - perfect.low))
    assert "Wilson" in perfect.method


@pytest.mark.parametrize(
    ("name", "prediction", "value"),
    [("pair_accuracy", 2.5, 1.0), ("pair_accuracy", -2.5, 0.0), ("squad_f1", "a", 1.0), ("rougeL", "no", 0.0)],
)
def test_a_mean_of_values_that_are_all_0_or_1_has_it_too(name: str, prediction: float | str, value: float):
    found = interval(metrics.get(name), [prediction] * 50, [("a",)] * 50)
    one_way = 1.959964**2 / (50 + 1.959964**2)
    assert (found.low, found.high) == pytest.approx((1 - one_way, 1.0) if value else (0.0, one_way), abs=1e-6)


def test_wilson_agrees_with_scipy():
    from scipy.stats import binomtest

    for right, n in ((0, 5), (3, 7), (50, 50), (480, 1000)):
        theirs = binomtest(right, n).proportion_ci(method="wilson")
        assert wilson(right, n) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_many_classes_fit_into_memory_and_a_class_may_have_any_number():
    """A class each for 3000 examples: a confusion table of them would have nine million cells, a thousand times."""
    references = np.arange(3000) * 1000
    predictions = np.where(np.arange(3000) % 4, references, 0)
    found = interval(metrics.get("accuracy"), predictions, references, resamples=50)
    assert found.low < 0.75 < found.high


def test_a_metric_without_resampling_of_its_own_gets_a_loop():
    accuracy = metrics.get("accuracy")
    loop = replace(accuracy, name="loop", resample=None, counts_successes=False)
    given = data("accuracy", 300)
    one, other = interval(loop, *given), interval(accuracy, *given)
    assert (one.low, one.high) == pytest.approx((other.low, other.high), abs=0.02)


def test_samples_on_which_a_metric_is_undefined_are_left_out_and_said():
    def precision(predictions: np.ndarray, references: np.ndarray) -> float:
        chosen = predictions == 1
        return float(references[chosen].mean()) if chosen.any() else float("nan")

    metric = replace(metrics.get("f1"), name="precision", compute=precision, resample=None)
    predictions, references = np.array([1, 1, *[0] * 10]), np.array([1, 0, 0, 1, *[0, 1] * 4])
    found = interval(metric, predictions, references)
    assert 0 <= found.low <= found.high <= 1
    assert "undefined left out" in found.method


def test_a_metric_that_is_undefined_on_most_samples_is_an_error():
    def whole(predictions: np.ndarray, references: np.ndarray) -> float:
        return 1.0 if len(np.unique(predictions)) == 12 else float("nan")

    metric = replace(metrics.get("accuracy"), name="whole", compute=whole, resample=None, counts_successes=False)
    with pytest.raises(HarnessError, match=r"whole: no finite score on \d+ of 1000 bootstrap samples"):
        interval(metric, np.arange(12), np.arange(12))


@pytest.mark.parametrize(
    ("name", "values"), [("accuracy", [1]), ("macro_f1", [0, 1] * 4), ("pearson", [1.0, 2.0, 4.0])]
)
def test_of_fewer_than_ten_examples_nothing_is_said(name, values):
    found = interval(metrics.get(name), np.array(values), np.array(values))
    assert (found.low, found.high) == (metrics.get(name).low, 1) and found.method == "none: fewer than 10 examples"


def test_bad_predictions_have_no_interval():
    with pytest.raises(HarnessError, match="1 of 2 predictions are not finite"):
        interval(metrics.get("pearson"), np.array([np.nan, 1]), np.array([0.0, 1]))
