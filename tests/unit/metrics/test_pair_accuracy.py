"""Accuracy on minimal pairs: ties are half right."""

from __future__ import annotations

import numpy as np
import pytest

from harness import metrics
from harness.core.errors import HarnessError


def test_ties_are_half_right():
    metric = metrics.get("pair_accuracy")
    assert metric.score([1.5, -0.1, 0.0, 2.0], None) == pytest.approx(2.5 / 4)
    assert metric.score([0.0, -0.0], None) == 0.5
    predicted, true = metric.check([1.0, -1.0, 0.0], None)
    assert metric.chance(true) == 0.5
    assert metric.resample.prepare(predicted, true)(np.ones((1, 3)))[0] == pytest.approx(0.5)


@pytest.mark.parametrize("wrong", [[float("nan")], ["a"], [[1.0]], []])
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(HarnessError):
        metrics.get("pair_accuracy").score(wrong, None)
