"""A fraction of the training examples."""

from __future__ import annotations

from harness.data.frame import Split


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
