"""What counts as right, one prediction at a time."""

from __future__ import annotations

import numpy as np
import pytest

from harness.metrics.correctness import judge, right


@pytest.mark.parametrize(
    ("scored", "counted", "name"),
    [
        (["accuracy", "f1"], ["accuracy", "f1"], "accuracy"),
        (["matthews_correlation"], ["matthews_correlation"], "accuracy"),
        (["squad_f1", "exact_match"], ["squad_f1"], "exact_match"),
        (["pearson", "spearman"], ["pearson"], None),
        (["rouge1", "rougeLsum"], ["rougeLsum"], None),
    ],
)
def test_the_metric_that_tells_right_from_wrong(scored, counted, name):
    found = judge(scored, counted)
    assert (found and found.name) == name


def test_answers_are_right_as_their_metric_takes_them():
    texts, true = np.array(["The Cat", "a dog", ""], dtype=object), np.empty(3, dtype=object)
    true[:] = [("cat", "tiger"), ("cat",), ()]
    assert right(judge(["exact_match"], []), texts, true).tolist() == [1, 0, 1]
    assert right(judge(["accuracy"], []), np.array([0, 1, 2]), np.array([0, 2, 2])).tolist() == [1, 0, 1]
