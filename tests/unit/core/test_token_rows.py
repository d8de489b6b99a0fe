"""Rows of token ids in one array."""

from __future__ import annotations

import pytest

from harness.core import token_rows
from harness.core.token_rows import TokenRows

ROWS = [[1, 2, 3], [], [70_000], [4, 5]]


def test_rows_are_what_was_given_however_they_were_put_together():
    rows = TokenRows.of(iter(ROWS))
    assert rows == ROWS and [list(row) for row in rows] == ROWS
    assert rows.lengths.tolist() == [3, 0, 1, 2] and rows[-1].tolist() == [4, 5]
    assert rows[1:3] == ROWS[1:3]
    assert TokenRows.joined([rows[:2], TokenRows.of([]), rows[2:]]) == ROWS
    assert rows != ROWS[:3] and rows != [*ROWS[:3], [4, 6]]
    with pytest.raises(IndexError):
        rows[4]


def test_nothing_is_no_row():
    assert list(TokenRows.of([])) == [] and len(TokenRows.joined([])) == 0


def test_many_rows_are_in_a_file_and_the_same(monkeypatch: pytest.MonkeyPatch):
    parts = [{"ids": TokenRows.of(ROWS[start : start + 2]), "mask": TokenRows.of([[1] * 3])} for start in (0, 2)]
    held = TokenRows.gathered(iter(parts), {})
    monkeypatch.setattr(token_rows, "IN_MEMORY", 2)
    mapped = TokenRows.gathered(iter(parts), {"mask": "uint8"})
    assert mapped == held == {"ids": ROWS, "mask": [[1] * 3] * 2}
    assert mapped["mask"].values.dtype == "uint8" and not mapped["ids"].values.flags.writeable
    assert mapped["ids"].count_of(2) == held["ids"].count_of(2) == 1
