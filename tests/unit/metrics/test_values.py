"""What each metric of numbers computes: by hand, against the libraries, and where it is degenerate."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.core.errors import HarnessError
from tests.unit.metrics.given import NUMBERS

# Six examples, table (reference, prediction): (1,1) twice, (1,0) once, (0,1) once, (0,0) twice.
REFERENCES = np.array([1, 1, 1, 0, 0, 0])
PREDICTIONS = np.array([1, 1, 0, 1, 0, 0])

BY_HAND = {
    "accuracy": 4 / 6,
    "f1": 2 * 2 / (2 * 2 + 1 + 1),
    "macro_f1": 2 / 3,
    "matthews_correlation": (2 * 2 - 1 * 1) / math.sqrt(3 * 3 * 3 * 3),
}


@pytest.mark.parametrize("name", BY_HAND)
def test_label_metrics_agree_with_the_table_counted_by_hand(name):
    assert metrics.get(name).score(PREDICTIONS, REFERENCES) == pytest.approx(BY_HAND[name])


def test_correlations_agree_with_values_by_hand():
    x, y = np.array([1.0, 2.0, 3.0, 10.0]), np.array([1.0, 3.0, 2.0, 4.0])
    assert metrics.get("spearman").score(x, y) == pytest.approx(1 - 6 * 2 / (4 * 15))
    deviations = (x - 4) * (y - 2.5)
    assert metrics.get("pearson").score(x, y) == pytest.approx(deviations.sum() / math.sqrt(50 * 5))


def test_spearman_gives_ties_their_average_rank():
    assert metrics.get("spearman").score(np.array([1.0, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])) == pytest.approx(
        math.sqrt(3) / 2
    )


labellings = st.integers(2, 5).flatmap(
    lambda k: st.lists(st.tuples(st.integers(0, k - 1), st.integers(0, k - 1)), min_size=2, max_size=40)
)


@given(labellings)
def test_label_metrics_agree_with_scikit_learn(pairs):
    from sklearn.metrics import accuracy_score, f1_score, matthews_corrcoef

    predictions, references = np.array(pairs).T
    assert metrics.get("accuracy").score(predictions, references) == pytest.approx(
        accuracy_score(references, predictions)
    )
    assert metrics.get("macro_f1").score(predictions, references) == pytest.approx(
        f1_score(references, predictions, average="macro", zero_division=0)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = matthews_corrcoef(references, predictions)
    assert metrics.get("matthews_correlation").score(predictions, references) == pytest.approx(theirs)
    if max(*predictions, *references) <= 1:
        assert metrics.get("f1").score(predictions, references) == pytest.approx(
            f1_score(references, predictions, zero_division=0)
        )


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=40))
def test_correlations_agree_with_scipy(pairs):
    from scipy.stats import pearsonr, spearmanr

    predictions, references = np.array(pairs, dtype=float).T / 8
    if np.ptp(predictions) and np.ptp(references):
        for name, theirs in (("pearson", pearsonr), ("spearman", spearmanr)):
            assert metrics.get(name).score(predictions, references) == pytest.approx(
                theirs(predictions, references).statistic, abs=1e-12
            )


@pytest.mark.parametrize("name", ["matthews_correlation", "pearson", "spearman"])
@pytest.mark.parametrize("side", ["predictions", "references", "both"])
def test_a_constant_side_correlates_at_zero_without_a_warning(name, side):
    constant, varied = np.ones(6), np.array([0.0, 1, 2, 0, 1, 2])
    predictions = varied if side == "references" else constant
    references = varied if side == "predictions" else constant
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.get(name).score(predictions, references) == 0.0


def test_values_that_differ_by_rounding_alone_are_constant_for_pearson():
    predictions = 0.3 + np.array([0, 1e-17, 5e-17, 0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert metrics.get("pearson").score(predictions, np.arange(4.0)) == 0.0


@pytest.mark.parametrize("name", ["pearson", "spearman"])
@pytest.mark.parametrize("scale", [1e-200, 1e-12, 1e12, 1e200])
def test_correlations_do_not_depend_on_the_scale_of_predictions(name, scale):
    predictions, references = np.array([0.1, 0.5, 0.2, 0.9]), np.array([1.0, 2.0, 3.0, 4.0])
    metric = metrics.get(name)
    assert metric.score(predictions * scale, references) == pytest.approx(metric.score(predictions, references))


def test_spearman_ranks_values_that_are_close_for_their_size():
    times = 1.7e9 + np.arange(5.0)
    assert metrics.get("spearman").score(times, np.arange(5.0)) == pytest.approx(1)


@pytest.mark.parametrize("name", NUMBERS)
def test_one_example_has_a_score(name):
    one = np.array([1])
    assert metrics.get(name).score(one, one) in (0.0, 1.0)


def test_f1_without_positives_is_zero_and_of_three_classes_an_error():
    f1 = metrics.get("f1")
    assert f1.score(np.zeros(4), np.zeros(4)) == 0.0
    with pytest.raises(HarnessError, match="macro_f1"):
        f1.score(np.array([0, 2]), np.array([0, 1]))


@pytest.mark.parametrize("name", ["accuracy", "f1", "macro_f1", "matthews_correlation"])
@given(references=st.lists(st.integers(0, 1), min_size=1, max_size=30))
def test_chance_is_the_best_constant_prediction(name, references):
    metric, truth = metrics.get(name), np.array(references)
    constants = [metric.score(np.full(len(truth), label), truth) for label in (0, 1)]
    assert metric.chance(truth) == pytest.approx(max(constants))


@pytest.mark.parametrize("name", ["accuracy", "macro_f1"])
@given(references=st.lists(st.integers(0, 4), min_size=1, max_size=30))
def test_chance_is_the_best_constant_prediction_of_many_classes(name, references):
    metric, truth = metrics.get(name), np.array(references)
    constants = [metric.score(np.full(len(truth), label), truth) for label in range(5)]
    assert metric.chance(truth) == pytest.approx(max(constants))


@pytest.mark.parametrize("name", ["pearson", "spearman"])
def test_chance_of_a_correlation_is_zero(name):
    assert metrics.get(name).chance(np.array([1.0, 2.0])) == 0.0


ANY = pytest.mark.parametrize("name", NUMBERS)


@ANY
def test_nothing_to_score_is_an_error(name):
    with pytest.raises(HarnessError, match=f"{name}: nothing to score"):
        metrics.get(name).score(np.array([]), np.array([]))


@ANY
def test_predictions_that_do_not_pair_with_references_are_an_error(name):
    for predictions in (np.zeros(3), np.zeros((2, 1))):
        with pytest.raises(HarnessError, match="one prediction for each reference"):
            metrics.get(name).score(predictions, np.zeros(2))


@ANY
def test_predictions_that_are_not_finite_are_counted(name):
    predictions = np.array([0.0, np.nan, 1.0, np.inf, -np.inf])
    with pytest.raises(HarnessError, match=f"{name}: 3 of 5 predictions are not finite"):
        metrics.get(name).score(predictions, np.ones(5))


@ANY
def test_text_is_no_prediction(name):
    with pytest.raises(HarnessError, match="references must be numbers"):
        metrics.get(name).score(np.array([0, 1]), np.array(["0", "1"]))


@pytest.mark.parametrize(("references", "bad"), [([-1, -1, 0], 2), ([0.5, 1, 0], 1)])
def test_labels_that_are_no_class_ids_are_counted(references, bad):
    """-1 is how GLUE's hidden labels look on the hub: scoring them would give a number that means nothing."""
    with pytest.raises(HarnessError, match=f"{bad} of 3 references are no class ids"):
        metrics.get("accuracy").score(np.array([0, 1, 0]), np.array(references))
