"""Which answer a text names."""

from __future__ import annotations

import pytest

from harness.modeling.endpoint.matching import matched


@pytest.mark.parametrize(
    ("text", "answers", "expected"),
    [
        (" positive", ["negative", "positive"], 1),
        ("Positive.\n\nSentence:", ["negative", "positive"], 1),
        ("It is negative, not positive", ["negative", "positive"], 0),
        ("not entailment", ["entailment", "not entailment"], 1),
        ("not  Entailment", ["entailment", "not entailment"], 1),
        ("nonpositive", ["negative", "positive"], None),
        ("", ["yes", "no"], None),
        ("I cannot know", ["yes", "no"], None),
        ('"no"', ["yes", "no"], 1),
        ("the answer is: the red house.", ["a red house", "the red house"], 1),
        ("C", ["a", "b", "c", "d"], 2),
        ("(b) it rains", ["(a)", "(b)"], 1),
        ("五个", ["三", "五个"], 1),
    ],
)
def test_an_answer_counts_that_stands_in_the_text_as_whole_words(text, answers, expected):
    assert matched(text, answers) == expected
