"""What the metrics of log-likelihoods compute, and refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest

from harness import metrics
from harness.core.errors import HarnessError
from tests.unit.metrics.given import LIKELIHOODS

TEXTS = [("a cat sat",), ("été",), ("我们",)]
NATS = np.array([-9.0, -2.5, -7.5])
BYTES = 9 + 5 + 6
WORDS = 3 + 1 + 1

ALL = pytest.mark.parametrize("name", LIKELIHOODS)


def test_nats_are_divided_by_all_bytes_and_all_words():
    assert metrics.get("bits_per_byte").score(NATS, TEXTS) == pytest.approx(19 / BYTES / math.log(2))
    assert metrics.get("byte_perplexity").score(NATS, TEXTS) == pytest.approx(math.exp(19 / BYTES))
    assert metrics.get("word_perplexity").score(NATS, TEXTS) == pytest.approx(math.exp(19 / WORDS))


def test_words_are_counted_as_lm_evaluation_harness_counts_them():
    r"""The pieces of `re.split(r"\s+", text)`: white space at an end counts one more."""
    assert metrics.get("word_perplexity").score([-4.0], [(" a\n\nb ",)]) == pytest.approx(math.e)


def test_a_certain_model_has_the_best_score():
    for name, best in (("bits_per_byte", 0.0), ("byte_perplexity", 1.0), ("word_perplexity", 1.0)):
        value = metrics.get(name).score([0.0], [("text",)])
        assert value == best == metrics.get(name).low
        assert math.copysign(1, value) == 1


def test_chance_knows_how_frequent_each_byte_is():
    references = metrics.get("bits_per_byte").check([-1.0, -1.0], [("aab c",), ("aa",)])[1]
    counts = np.array([4, 1, 1, 1])
    bits = -(counts * np.log2(counts / 7)).sum()
    assert metrics.get("bits_per_byte").chance(references) == pytest.approx(bits / 7)
    assert metrics.get("byte_perplexity").chance(references) == pytest.approx(2 ** (bits / 7))
    assert metrics.get("word_perplexity").chance(references) == pytest.approx(2 ** (bits / 3))


@ALL
def test_lower_is_better_without_an_upper_bound(name):
    assert not metrics.get(name).greater_is_better
    assert metrics.get(name).high is None


BAD = [
    ([-1.0, 0.5, 2.0], [("a",)] * 3, "2 of 3 predictions are above 0"),
    ([-1.0, float("-inf")], [("a",)] * 2, "1 of 2 predictions are not finite"),
    ([-1.0, float("nan")], [("a",)] * 2, "1 of 2 predictions are not finite"),
    (["-1.0"], [("a",)], "predictions must be numbers"),
    ([[-1.0]], [("a",)], r"predictions of shape \(1, 1\)"),
    ([-1.0], [()], "1 of 1 predictions have no reference"),
    ([-1.0], [("a", "b")], "2 references at 0; it takes one, the text"),
    ([-1.0, -2.0], [("a",)], "2 predictions for 1 references"),
    ([], [], "nothing to score"),
]


@ALL
@pytest.mark.parametrize(("predictions", "references", "message"), BAD)
def test_what_is_no_log_likelihood_of_a_text_is_refused(name, predictions, references, message):
    with pytest.raises(HarnessError, match=f"metric {name}: .*{message}"):
        metrics.get(name).score(predictions, references)


@pytest.mark.parametrize("name", ["bits_per_byte", "byte_perplexity"])
def test_empty_texts_have_no_bytes_to_predict(name):
    assert metrics.get(name).score([0.0, -2.0], [("",), ("ab",)]) > metrics.get(name).low
    with pytest.raises(HarnessError, match="all texts are empty"):
        metrics.get(name).score([0.0], [("",)])


def test_a_word_perplexity_beyond_floats_names_the_metric_to_use():
    with pytest.raises(HarnessError, match=r"1000 nats a unit are beyond it.*use bits_per_byte"):
        metrics.get("word_perplexity").score([-1000.0], [("没有空格的文字",)])
