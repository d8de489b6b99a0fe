"""Bootstrap intervals of metrics of texts and likelihoods: what drawing examples gives, the right width."""

from __future__ import annotations

import numpy as np
import pytest

from harness import metrics
from harness.metrics.resampling import by_jackknife, by_mean, by_sums
from harness.stats.bootstrap import interval
from tests.unit.metrics.given import JUDGED, LIKELIHOODS, TEXTUAL, data

ALL = pytest.mark.parametrize("name", TEXTUAL)
COLLECTIONS = ["distinct_1", "distinct_2", "self_bleu"]


@pytest.mark.parametrize("name", [*JUDGED, *LIKELIHOODS, "repetition_4"])
@pytest.mark.parametrize("n", [1, 2, 25])
def test_a_sample_scores_what_the_drawn_examples_score(name, n):
    metric = metrics.get(name)
    predictions, references = metric.check(*data(name, n, seed=n))
    assert metric.resample is not None
    fast = metric.resample(predictions, references, np.random.default_rng(5), 20)
    random = np.random.default_rng(5)
    for score in fast:
        drawn = random.integers(0, n, n)
        assert score == pytest.approx(metric.score(predictions[drawn], references[drawn]), abs=1e-12)


@ALL
def test_an_interval_holds_its_score_keeps_to_the_scale_and_is_the_same_for_the_same_seed(name):
    metric = metrics.get(name)
    for n in (1, 2, 3, 10):
        for seed in range(5):
            given = data(name, n, seed)
            found = interval(metric, *given, resamples=50)
            assert found == interval(metric, *given, resamples=50)
            assert metric.low <= found.low <= metric.score(*given) <= found.high
            assert metric.high is None or found.high <= metric.high


@pytest.mark.parametrize(
    "name", [name for name in TEXTUAL if name != "repetition_4" and not name.endswith("median_rank")]
)  # the scale of ranks grows with their number
def test_more_examples_give_a_narrower_interval(name):
    def width(n: int) -> float:
        found = interval(metrics.get(name), *data(name, n))
        return found.high - found.low

    assert 0 < width(400) < width(50)


def test_what_no_sample_changes_is_computed_once():
    asked = []

    def lengths(predictions: np.ndarray, references: np.ndarray) -> np.ndarray:
        asked.append(len(predictions))
        return np.array([[len(one), 1.0] for one in predictions])

    predictions, references = metrics.get("bleu").check(*data("bleu", 1000))
    fraction = by_sums(lengths, lambda sums: sums[:, 0] / sums[:, 1])
    mean = by_mean(lambda predictions, references: lengths(predictions, references)[:, 0])
    scores = [resample(predictions, references, np.random.default_rng(0), 3000) for resample in (fraction, mean)]
    assert asked == [1000, 1000]
    assert scores[0] == pytest.approx(scores[1])


def test_the_jackknife_of_a_mean_is_its_bootstrap():
    values = np.random.default_rng(0).normal(size=30)

    def without_each(predictions: np.ndarray, references: np.ndarray) -> tuple[float, np.ndarray]:
        return values.mean(), (values.sum() - values) / (len(values) - 1)

    mean, jackknife = by_mean(lambda predictions, references: values), by_jackknife(without_each)
    one, other = (resample(values, values, np.random.default_rng(1), 50) for resample in (mean, jackknife))
    assert one == pytest.approx(other)


def coverage(name: str, draw, truth: float, n: int) -> float:
    metric = metrics.get(name)
    found = [interval(metric, *draw(np.random.default_rng(seed), n), resamples=300) for seed in range(150)]
    return float(np.mean([one.low <= truth <= one.high for one in found]))


def test_the_interval_of_bits_per_byte_covers_the_truth_as_often_as_it_says():
    """Texts of all lengths, each byte of which costs 2 nats on average."""

    def draw(random: np.random.Generator, n: int):
        lengths = random.integers(1, 60, n)
        return -random.gamma(2 * lengths, 1.0), [("x" * length,) for length in lengths]

    assert 0.89 <= coverage("bits_per_byte", draw, 2 / np.log(2), 80) <= 0.99


def test_the_interval_of_bleu_covers_the_truth_as_often_as_it_says():
    """Two kinds of texts, with and without an error: the truth is the score of very many."""
    kinds = [("a b c d e f g", ("a b c d e f g",)), ("a b c d x f g h", ("a b c d e f g",))]

    def draw(random: np.random.Generator, n: int):
        chosen = [kinds[int(kind)] for kind in random.random(n) < 0.5]
        return [prediction for prediction, _ in chosen], [references for _, references in chosen]

    truth = metrics.get("bleu").score(*zip(*kinds, strict=True))
    assert 0.89 <= coverage("bleu", draw, truth, 60) <= 0.99


def babble(random: np.random.Generator, n: int) -> list[str]:
    """Texts about one of five topics, their words as frequent as in Zipf's law."""
    lengths = random.integers(5, 25, n)
    ranks = [np.minimum(random.zipf(1.4, length), 400) for length in lengths]
    topics = [50 * random.integers(0, 5) * (random.random(length) < 0.3) for length in lengths]
    return [" ".join(f"w{word}" for word in rank + topic) for rank, topic in zip(ranks, topics, strict=True)]


@pytest.mark.parametrize("name", ["distinct_1", "distinct_2", pytest.param("self_bleu", marks=pytest.mark.slow)])
def test_the_interval_of_a_collection_covers_the_expected_score_of_as_many_texts(name):
    metric = metrics.get(name)
    truth = float(np.mean([metric.score(babble(np.random.default_rng(1000 + seed), 40), None) for seed in range(300)]))
    assert 0.88 <= coverage(name, lambda random, n: (babble(random, n), None), truth, 40) <= 0.99


@pytest.mark.parametrize("name", COLLECTIONS)
def test_the_method_of_a_collection_says_that_it_is_an_approximation(name):
    method = interval(metrics.get(name), *data(name, 20)).method
    assert method == "percentile bootstrap of the jackknife's linear approximation, 1000 resamples"


def test_perfect_answers_have_an_honest_width():
    found = interval(metrics.get("exact_match"), ["Paris"] * 100, [("Paris",)] * 100)
    assert found.high == 1.0
    assert 0.95 < found.low < 0.97
    assert "Wilson" in found.method
