from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.modeling.inference.batching import (
    TokenBudgetBatchSampler,
    TokenizedDataset,
    one_after_the_other,
    packed_batches,
    pad,
    scoring_batches,
)

LENGTHS = st.lists(st.integers(1, 512), min_size=1, max_size=300)


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 64), st.integers(1, 4))
def test_an_epoch_has_every_example_once_and_the_announced_number_of_batches(lengths, batch_size, processes):
    sampler = TokenBudgetBatchSampler(lengths, batch_size, seed=1, multiple_of=processes)
    for _ in range(2):
        batches = list(sampler)
        assert len(batches) == len(sampler)
        assert all(batches)
        assert sorted(sum(batches, [])) == list(range(len(lengths)))
    if len(lengths) >= processes * -(-len(lengths) // batch_size):
        assert len(sampler) % processes == 0


def test_batches_hold_like_lengths_and_about_equal_tokens():
    lengths = np.random.default_rng(0).integers(3, 60, 4000)
    batches = list(TokenBudgetBatchSampler(lengths, 32, seed=0))
    padded = sum(lengths[batch].max() * len(batch) for batch in batches)
    assert padded < 1.10 * lengths.sum()
    tokens = [lengths[batch].sum() for batch in batches]
    assert max(tokens) < 1.2 * np.mean(tokens)


def test_epochs_differ_and_a_seed_repeats_them():
    lengths = list(range(5, 100))
    first, again = TokenBudgetBatchSampler(lengths, 8, seed=3), TokenBudgetBatchSampler(lengths, 8, seed=3)
    epochs = [list(first), list(first)]
    assert epochs[0] != epochs[1]
    assert [list(again), list(again)] == epochs
    again.set_epoch(1)
    assert list(again) == epochs[1]


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 2000))
def test_scoring_batches_keep_the_budget_and_lose_nothing(lengths, budget):
    batches = list(scoring_batches(lengths, budget))
    assert sorted(sum(batches, [])) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or max(lengths[index] for index in batch) * len(batch) <= budget


def test_scoring_starts_with_the_longest_so_that_memory_fails_first():
    assert next(scoring_batches([3, 9, 4], 9)) == [1]


def test_padding_fills_each_input_with_its_own_value_to_a_multiple():
    rows = [{"input_ids": [5, 6, 7], "attention_mask": [1, 1, 1]}, {"input_ids": [8], "attention_mask": [1]}]
    batch = pad(rows, {"input_ids": 99, "attention_mask": 0}, multiple=4)
    assert batch["input_ids"].tolist() == [[5, 6, 7, 99], [8, 99, 99, 99]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]


@pytest.mark.parametrize("lengths", [[1], [1, 1, 1, 1, 1000], [1000] + [1] * 50])
def test_lopsided_lengths_still_fill_every_batch(lengths):
    assert all(list(TokenBudgetBatchSampler(lengths, 2, seed=0)))


def test_where_epochs_have_examples_of_their_own_each_draws_from_these_in_as_many_batches() -> None:
    parts = [
        TokenizedDataset({"x": list(range(10 * n, 10 * n + size))}, [5] * size) for n, size in enumerate((10, 9, 10))
    ]
    joined = one_after_the_other(parts)
    assert joined.epochs == (10, 9, 10) and joined.in_epoch == 10 and len(joined) == 29
    sampler = TokenBudgetBatchSampler(joined.lengths, 4, 0, epochs=joined.epochs)
    assert len(sampler) == 3
    for part in [*parts, parts[-1]]:
        batches = list(sampler)
        assert len(batches) == 3
        assert sorted(joined.columns["x"][index] for batch in batches for index in batch) == list(part.columns["x"])


@settings(max_examples=60, deadline=None)
@given(LENGTHS)
def test_packed_rows_hold_everything_once_within_the_budget_and_pad_less_than_a_pass_costs(lengths):
    batches = list(packed_batches(lengths, 1024))
    assert sorted(index for rows in batches for row in rows for index in row) == list(range(len(lengths)))
    for rows in batches:
        filled = [sum(lengths[index] for index in row) for row in rows]
        padded = len(rows) * max(filled)
        assert padded <= 1024
        assert padded - sum(filled) <= 64
        assert all(4 * lengths[index] >= max(filled) for row in rows for index in row)


def test_what_is_kept_beside_a_row_takes_of_the_budget():
    assert list(packed_batches([3, 2, 2], 10, kept=5)) == [[[0], [1]], [[2]]]
