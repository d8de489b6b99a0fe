"""Predictions of parts of a split, put together."""

from __future__ import annotations

import numpy as np

from harness.core.predictions import Predictions, Reading, joined


def part(values: list[int], read: Reading | None, *cautions: str) -> Predictions:
    return Predictions(np.asarray(values), {"logits": np.asarray(values) / 10}, {"batch": 8}, read, cautions)


def test_parts_keep_their_order_what_was_read_and_every_caution_once():
    first = part([4, 6], Reading(examples=2, truncated=1, max_length=64, tokens=100, unknown=3), "old weights")
    second = part([5], Reading(examples=1, truncated=0, max_length=48, tokens=7, unknown=0), "old weights", "one class")
    whole = joined([first, second], [[0, 2], [1]])
    assert whole.values.tolist() == [4, 5, 6] and whole.columns["logits"].tolist() == [0.4, 0.5, 0.6]
    assert whole.read == Reading(examples=3, truncated=1, max_length=64, tokens=107, unknown=3)
    assert whole.cautions == ("old weights", "one class") and whole.settings == {"batch": 8}


def test_of_a_part_whose_reading_is_unknown_that_of_the_whole_is_unknown():
    known = Reading(examples=2, truncated=0, max_length=64, tokens=100, unknown=0)
    assert joined([part([1, 2], known), part([3], None)], [[0, 1], [2]]).read is None
