"""Paired changes: values by hand, the same as a plain bootstrap, and narrower than unpaired intervals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness import metrics
from harness.metrics.resampling import Resampler, samples
from harness.stats.paired import Pair, change


def classes(n: int, seed: int, flipped: float = 0.1) -> Pair:
    random = np.random.default_rng(seed)
    references = random.integers(0, 2, n)
    before = np.where(random.random(n) < 0.8, references, 1 - references)
    return Pair([before], [np.where(random.random(n) < flipped, 1 - before, before)], references)


@pytest.mark.parametrize("name", ["accuracy", "f1", "macro_f1", "matthews_correlation", "pearson", "spearman"])
def test_samples_drawn_elsewhere_are_scored_as_the_metric_itself_would(name: str):
    metric, random = metrics.get(name), np.random.default_rng(1)
    predictions, references = random.integers(0, 2, (2, 50))
    assert isinstance(metric.resample, Resampler)
    (weights,) = samples(50, random, 6)
    assert (weights.sum(axis=1) == 50).all()
    rows = [np.repeat(np.arange(50), row.astype(int)) for row in weights]
    expected = [metric.score(predictions[row], references[row]) for row in rows]
    assert metric.resample.prepare(predictions, references)(weights) == pytest.approx(expected)


def test_a_metric_without_resampling_of_its_own_gives_the_same():
    pair, f1 = classes(80, 2), metrics.get("f1")
    loop = replace(f1, resample=None)
    one, other = change([pair], [f1], resamples=200), change([pair], [loop], resamples=200)
    assert (one.value, one.low, one.high) == pytest.approx((other.value, other.low, other.high))


def test_no_change_is_none_with_an_interval_of_no_width():
    pair = classes(100, 3, flipped=0)
    found = change([pair], [metrics.get("accuracy")])
    assert (found.value, found.low, found.high) == (0, 0, 0)


def test_pairing_narrows_the_interval_and_keeps_its_coverage():
    """Truth: of 80 % right, one in ten flipped: a change of -0.06 on average, with a standard error of some 0.31/√n."""
    found = [change([classes(300, seed)], [metrics.get("accuracy")], resamples=300) for seed in range(200)]
    assert np.mean([one.low <= -0.06 <= one.high for one in found]) > 0.89
    assert np.mean([one.high - one.low for one in found]) < 2 * 1.96 * np.sqrt(2 * 0.8 * 0.2 / 300)


def test_the_spread_of_seeds_widens_the_interval():
    pair = classes(400, 5)
    worse = 1 - pair.before[0]
    alike = change([Pair(pair.before * 3, pair.after * 3, pair.references)], [metrics.get("accuracy")])
    apart = change(
        [Pair(pair.before * 3, [pair.after[0], pair.after[0], worse], pair.references)], [metrics.get("accuracy")]
    )
    one = change([pair], [metrics.get("accuracy")])
    assert (alike.low, alike.high) == pytest.approx((one.low, one.high))
    assert len(apart.per_seed) == 3
    assert apart.high - apart.low > 4 * (alike.high - alike.low)


def test_equal_answers_have_no_interval_and_answers_that_cancel_have_one():
    references = np.arange(200) % 2
    before = np.where(np.arange(200) < 20, 1 - references, references)
    after = np.where((np.arange(200) >= 20) & (np.arange(200) < 40), 1 - references, references)
    for name in ("accuracy", "f1"):
        found = change([Pair([before], [after], references)], [metrics.get(name)])
        assert found.value == pytest.approx(0, abs=0.01) and found.low < -0.02 and found.high > 0.02


def test_accuracy_has_the_adjusted_wald_interval_of_its_flips():
    """Bonett & Price (2012): 12 lost and 4 won of 100, with one more of each kind."""
    references = np.zeros(100, dtype=int)
    before, after = np.zeros(100, dtype=int), np.zeros(100, dtype=int)
    after[:12], before[12:16] = 1, 1
    found = change([Pair([before], [after], references)], [metrics.get("accuracy")])
    lost, won, n = 12 / 100, 4 / 100, 102
    half = 1.959964 * np.sqrt(((12 + 4 + 2) / n - ((12 - 4) / n) ** 2) / n)
    assert found.value == pytest.approx(won - lost)
    assert (found.low, found.high) == pytest.approx((won - lost - half, won - lost + half), abs=1e-6)


def test_splits_and_metrics_are_averaged():
    pairs, names = [classes(100, 6), classes(150, 7)], ["accuracy", "f1"]
    found = change(pairs, [metrics.get(name) for name in names])
    singly = [change([pair], [metrics.get(name)]).value for pair in pairs for name in names]
    assert found.value == pytest.approx(np.mean(singly))
