"""One-sided tests of drops: equal to scipy where it has the test, to published worked examples where it has not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness import metrics
from harness.stats.significance import (
    Drop,
    Measure,
    approximate_randomization,
    drop_of_fractions,
    holm,
    mcnemar_mid_p,
    of_parts,
)


def test_mcnemar_mid_p_of_the_worked_example_of_fagerland():
    """Airway hyper-responsiveness before and after transplantation: 1 and 7 discordant, two-sided mid-p 0.039."""
    assert 2 * mcnemar_mid_p(7, 1) == pytest.approx(0.0391, abs=1e-4)


@pytest.mark.parametrize(("worse", "better"), [(10, 2), (3, 3), (0, 5), (120, 80)])
def test_mcnemar_mid_p_is_the_exact_test_less_half_its_last_term(worse, better):
    exact = stats.binomtest(worse, worse + better, 0.5, alternative="greater").pvalue
    assert mcnemar_mid_p(worse, better) == pytest.approx(exact - stats.binom.pmf(worse, worse + better, 0.5) / 2)


def test_mcnemar_mid_p_of_no_discordant_pair_says_nothing():
    assert mcnemar_mid_p(0, 0) == 0.5


def measured(name: str, base, candidate, references, weight: float = 1.0) -> Measure:
    return Measure(metrics.get(name), np.asarray(base), np.asarray(candidate), references, weight)


def test_randomization_equals_the_exact_permutation_test_of_scipy():
    references = np.zeros(10, dtype=int)
    base = np.zeros(10, dtype=int)
    candidate = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0])
    p, count, _ = approximate_randomization([[measured("accuracy", base, candidate, references)]])
    exact = stats.permutation_test(
        ((base == references).astype(float), (candidate == references).astype(float)),
        lambda x, y, axis: np.mean(x - y, axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    ).pvalue
    assert count == 10_000
    assert p == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize(
    "name",
    ["f1", "macro_f1", "matthews_correlation", "pearson", "spearman", "rouge1", "bleu", "squad_f1", "bits_per_byte"],
)
def test_exchanges_are_scored_as_the_metric_scores_them(name):
    """The vectorized exchange of outputs equals computing the metric on each exchanged list."""
    from harness.stats.significance import _of_choices

    random = np.random.default_rng(1)
    metric = metrics.get(name)
    n = 40
    if metric.inputs == "labels":
        base, candidate, references = random.integers(0, 2, (3, n))
    elif metric.inputs == "values":
        base, candidate, references = random.integers(0, 9, (3, n)) / 2
    else:
        words = ["a", "cat", "sat", "on", "the", "mat", "dog", "ran"]
        texts = [" ".join(random.choice(words, 6)) for _ in range(3 * n)]
        references = np.fromiter(((text,) for text in texts[:n]), dtype=object, count=n)
        base, candidate = np.array(texts[n : 2 * n], dtype=object), np.array(texts[2 * n :], dtype=object)
        if metric.inputs == "likelihoods":
            base, candidate = -random.random((2, n)) * 9
    one = Measure(metric, base, candidate, references, 1.0)
    chosen = random.integers(0, 2, (7, n)).astype(bool)
    expected = [metric.score(np.where(row, candidate, base), references) for row in chosen]
    scored = _of_choices(one)
    assert scored is not None
    assert scored(chosen) == pytest.approx(expected)


def test_a_metric_whose_weights_do_not_give_its_score_is_computed_anew_for_fewer_exchanges():
    from dataclasses import replace

    from harness.metrics.resampling import by_mean

    right = replace(metrics.get("accuracy"), resample=by_mean(lambda predictions, references: 0.0 * predictions))
    references, base, candidate = np.zeros(20, dtype=int), np.zeros(20, dtype=int), np.arange(20) % 2
    p, count, _ = approximate_randomization([[Measure(right, base, candidate, references, 1.0)]])
    assert count == 1_000
    assert p < 0.01


def test_a_drop_of_seeds_alone_is_the_t_test_of_scipy():
    per_seed = [0.02, 0.05, 0.01, 0.04]
    found = of_parts(per_seed, 0.0)
    assert found.p_worse() == pytest.approx(stats.ttest_1samp(per_seed, 0, alternative="greater").pvalue)
    low, high = stats.ttest_1samp(per_seed, 0).confidence_interval(0.95)
    assert found.value - found.half_width(0.025) == pytest.approx(low)
    assert found.value + found.half_width(0.025) == pytest.approx(high)


def test_one_candidate_beside_several_seeds_is_the_t_test_of_a_single_new_observation():
    """Its p is that of the two-sample t test of scipy where the second sample is one value: S - 1 degrees of freedom."""
    base, candidate = [0.81, 0.83, 0.80, 0.84, 0.82], 0.77
    found = of_parts([one - candidate for one in base], 0.0, one_candidate=True)
    assert found.p_worse() == pytest.approx(stats.ttest_ind(base, [candidate], alternative="greater").pvalue)
    assert found.degrees == 4


def test_a_drop_of_examples_alone_is_the_z_test():
    assert Drop(0.03, 0.0001).p_worse() == pytest.approx(stats.norm.sf(3))
    assert Drop(-0.03, 0.0001).p_worse() == pytest.approx(stats.norm.cdf(3))


def test_examples_and_seeds_together_are_wider_than_either():
    both = Drop(0.03, 0.0001, 0.0001, 4)
    assert both.p_worse() > Drop(0.03, 0.0, 0.0001, 4).p_worse() > Drop(0.03, 0.0001).p_worse()


def test_the_variance_of_shares_is_that_of_bonett_and_price():
    lost = np.array([1] * 12 + [-1] * 4 + [0] * 84, dtype=float)
    found = drop_of_fractions([[lost]])
    p12, p21 = 13 / 102, 5 / 102
    assert found.value == pytest.approx(0.08)
    assert found.of_examples == pytest.approx((p12 + p21 - (p12 - p21) ** 2) / 102)


def test_holm_of_a_worked_example():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


def test_holm_equals_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest")
    p_values = np.random.default_rng(0).random(20) ** 3
    assert holm(list(p_values)) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


def test_what_is_detectable_has_the_power_it_is_named_for():
    drop = Drop(0.0, 0.0002, 0.0001, 4)
    for margin in (0.0, 0.1):
        assert drop.power(drop.detectable(0.01, margin), 0.01, margin) == pytest.approx(0.8)
