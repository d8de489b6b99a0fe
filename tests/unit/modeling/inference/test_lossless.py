"""The price of what a tokenizer loses: none where nothing is lost, and never below what the text needs."""

from __future__ import annotations

import math
import random

import pytest

from harness.modeling.inference.lossless import BYTE, charge


def test_a_text_that_comes_back_costs_nothing():
    assert charge("Ein Satz, 1 Zahl.", "Ein Satz, 1 Zahl.") == 0 and charge("", "") == 0


@pytest.mark.parametrize(
    ("text", "decoded", "bytes_written"),
    [("Paris", "paris", 1), ("PARIS", "paris", 5), ("naïve", "naive", 2), ("don't", "don ' t", 0), ("x", "", 1),
     ("a b", "a  b", 0), ("Fr Xqz in", "fr <unk> in", 4)],
)  # fmt: skip
def test_an_edit_costs_at_least_the_bytes_it_writes(text, decoded, bytes_written):
    assert charge(text, decoded) > bytes_written * BYTE


def test_random_case_costs_more_than_its_bit_a_letter():
    letters = random.Random(0)
    text = "".join(
        letters.choice("abcdefgh").upper() if letters.random() < 0.5 else letters.choice("abcdefgh")
        for _ in range(2000)
    )
    assert charge(text, text.lower()) > 2000 * math.log(2)


def test_rare_capitals_cost_more_than_their_places():
    text = "".join("A" if place % 1000 == 500 else "a" for place in range(10_000))
    places = math.log(math.comb(10_000, 10))
    assert charge(text, text.lower()) > places


def test_a_long_text_is_charged_in_no_time():
    text = "The Quick Brown fox. " * 5000
    assert charge(text, text.lower()) > 0
