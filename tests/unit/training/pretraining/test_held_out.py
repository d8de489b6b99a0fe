"""Scores of held-out blocks or items: their intervals where all, or none, are right."""

from __future__ import annotations

import numpy as np
import pytest

from harness.training.pretraining.evaluation import summarize
from tests.unit.training.pretraining.settings import setting_of_items


def test_a_recall_of_none_or_all_has_the_width_of_its_items_and_a_loss_of_none_has_not():
    objective, _, _ = setting_of_items("image-text")
    objective._measured = 47
    ones, zeros = np.ones(47), np.zeros(47)
    found = summarize(
        {
            "text_retrieval_recall_1": (zeros, ones), "item_retrieval_recall_1": (ones, ones),
            "contrastive_loss": (zeros, ones),
        },
        objective,
    )  # fmt: skip
    one_way = 1.959964**2 / (47 + 1.959964**2)
    none, every, loss = found.values()
    assert (none["low"], none["high"]) == pytest.approx((0.0, one_way), abs=1e-6)
    assert (every["low"], every["high"]) == pytest.approx((1 - one_way, 1.0), abs=1e-6)
    assert (loss["low"], loss["high"]) == (0, 0)
