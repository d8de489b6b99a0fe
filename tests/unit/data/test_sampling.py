"""A fraction of the training examples."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.core.errors import HarnessError
from harness.data.frame import Split, draw_name


def split(size: int = 50) -> Split:
    return Split(
        tuple(f"id-{index}" for index in range(size)),
        {"text": tuple(map(str, range(size)))},
        tuple([0, 1] * (size // 2)),
    )


def test_a_smaller_share_is_part_of_a_larger_one_and_another_seed_draws_others():
    whole = split()
    small, large = whole.sample(0.1, seed=1), whole.sample(0.4, seed=1)
    assert (len(small), len(large)) == (5, 20)
    assert set(small.ids) < set(large.ids)
    assert list(large.ids) == sorted(large.ids, key=whole.ids.index)
    assert large.labels == tuple(whole.labels[whole.ids.index(name)] for name in large.ids)
    assert whole.sample(0.4, seed=2).ids != large.ids
    assert len(whole.sample(0.001, seed=1)) == 1
    assert whole.sample(1.0, seed=1).ids == whole.ids


def test_few_examples_of_each_class_are_nested_and_drawn_by_seed_and_id_alone():
    whole = split()
    few, more = whole.few(4, seed=3), whole.few(8, seed=3)
    assert [few.labels.count(label) for label in (0, 1)] == [4, 4]
    assert [more.labels.count(label) for label in (0, 1)] == [8, 8]
    assert set(few.ids) < set(more.ids)
    assert whole.few(4, seed=4).ids != few.ids
    turned = whole.select(range(len(whole) - 1, -1, -1))
    assert set(turned.few(4, seed=3).ids) == set(few.ids)
    assert whole.portion(1.0, 4, 3).ids == few.ids
    assert whole.portion(0.1, None, 1).ids == whole.sample(0.1, 1).ids
    with pytest.raises(HarnessError, match="30 examples a class: one of the classes has only 25"):
        whole.few(30, seed=0)


def test_a_published_draw_is_taken_as_it_is_and_never_cut():
    names = [draw_name(2, 0)] * 4 + [draw_name(2, 1)] * 4
    published = replace(split(8), draws=tuple(names))
    assert published.few(2, seed=1).ids == published.ids[4:]
    assert published.head(3) is published
    assert published.fingerprint != split(8).fingerprint
    with pytest.raises(HarnessError, match="there is no draw 2 of 2 examples a class"):
        published.few(2, seed=2)
