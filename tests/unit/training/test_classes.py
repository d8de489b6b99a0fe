"""Which output of a classifier is which class of a task."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.training.learners.classes import class_order, in_columns
from tests.unit.modeling.heads.given import task

SENTIMENT = task(
    "classification", labels=["negative", "positive"], label_aliases={"neg": "negative", "pos": "positive"}
)
TWO = ["negative", "positive"]


def order(names, label_map=None, of=SENTIMENT, labels=TWO):
    return class_order(dict(enumerate(names)), of, labels, "mine", label_map)


@pytest.mark.parametrize(
    ("names", "label_map", "expected"),
    [
        (TWO, None, None),
        (["positive", "negative"], None, [[1], [0]]),
        (["POS", "NEG"], None, [[1], [0]]),
        (["LABEL_0", "LABEL_1"], {"LABEL_0": "negative", "LABEL_1": "positive"}, None),
        (["LABEL_0", "LABEL_1"], {"LABEL_0": "pos", "LABEL_1": "neg"}, [[1], [0]]),
        (["gut", "negative"], {"gut": "positive"}, [[1], [0]]),
        (["1 star", "2 stars", "5 stars"], {"1 star": "neg", "2 stars": "neg", "5 stars": "pos"}, [[0, 1], [2]]),
        (TWO, {"LABEL_0": "negative"}, None),
        (TWO, {"other": "entailment"}, None),
        (["positive", "negative"], {"positive": "positive"}, [[1], [0]]),
    ],
)
def test_names_come_first_and_a_stated_map_after_them(names, label_map, expected):
    assert order(names, label_map) == expected


@pytest.mark.parametrize(
    ("names", "label_map", "message"),
    [
        (["LABEL_0", "LABEL_1"], None, "say it, such as --label-map LABEL_0=negative"),
        (["LABEL_0", "LABEL_1"], {"LABEL_0": "negative"}, "does not say which is which"),
        (
            ["bad", "good"],
            {"bad": "negative"},
            "its classes are bad, good, those of task made-up are negative, positive",
        ),
        (["bad", "good"], {"bad": "negative", "good": "negative"}, "its classes are bad, good"),
        (["negative", "neutral", "positive"], None, "its classes are negative, neutral, positive"),
        (["negative", "neg", "positive"], None, "its classes are negative, neg, positive"),
        (["negative"], None, "its classes are negative, those"),
        (TWO, {"negative": "positive", "positive": "negative"}, "has a class of that name, negative"),
    ],
)
def test_a_position_alone_says_nothing(names, label_map, message):
    with pytest.raises(HarnessError, match=message):
        order(names, label_map)


def test_the_probabilities_of_classes_that_become_one_are_added():
    logits = np.log(np.array([[0.2, 0.3, 0.5], [0.6, 0.1, 0.3]], dtype=np.float32))
    assert np.exp(in_columns(logits, [[2], [0, 1]])) == pytest.approx(np.array([[0.5, 0.5], [0.3, 0.7]]), abs=1e-6)
