"""Attacked examples on the page: both texts whole, and what differs marked in each."""

from __future__ import annotations

import pytest

from harness.report.page.attacked import marked
from harness.report.page.model import AttackedText, AttackView, Grid, Page
from harness.report.page.render import render


@pytest.mark.parametrize(
    ("original", "changed"),
    [
        ("a good film", "a fine film"),
        ("a good film", "a very good film"),
        ("a  good\tfilm ", "a god\tfilm "),
        ("", "new"),
        ("the same", "the same"),
        ("one two three", "four"),
    ],
)
def test_pieces_are_the_texts_again_and_those_that_are_not_marked_are_in_both(original, changed):
    before, after = marked(original, changed)
    assert "".join(text for text, _ in before) == original and "".join(text for text, _ in after) == changed
    assert [text for text, is_new in before if not is_new] == [text for text, is_new in after if not is_new]


def test_a_replaced_word_is_marked_alone():
    assert marked("a good film", "a fine film") == (
        (("a ", False), ("good", True), (" film", False)), (("a ", False), ("fine", True), (" film", False)),
    )  # fmt: skip


def test_texts_of_attacks_are_text_and_not_markup():
    bad = "<script>alert(1)</script>&\"'"
    row = AttackedText(bad, bad, bad, ((bad, True), (bad, False)), ((bad, True),), bad)
    page = Page("t", "c", "v", (), attacked=(AttackView(bad, (row,), 1, 2),), attacks=(Grid(bad, (bad,), ((bad,),)),))
    html = render(page)
    assert "<script>alert" not in html and "alert(1)" not in html.split("&lt;script&gt;")[0]
    assert "<mark>&lt;script&gt;" in html
