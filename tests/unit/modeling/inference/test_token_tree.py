"""Plans of what is read once: every token of every sequence stands behind its own beginning, and nothing is lost."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from harness.modeling.inference.token_tree import PASS, Prefix, Sharing, in_order, plan

LONGEST = 200


def read(prefix: Prefix, sequences: Sequence[np.ndarray], before: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """What each token that a plan reads stands behind, itself last."""
    kept = tuple(sequences[prefix.segment.last - 1][prefix.segment.begin : prefix.segment.end].tolist())
    yield from ((*before, *kept[: place + 1]) for place in range(len(kept)))
    before = (*before, *kept)
    assert len(before) == prefix.depth
    for row in prefix.rows:
        tokens, positions = row.tokens(sequences), row.positions()
        numbers, ends = row.branches()
        for place, number in enumerate(numbers):
            seen = (number < ends) & (np.arange(len(numbers)) <= place)
            assert positions[seen].tolist() == list(range(prefix.depth, positions[place] + 1))
            yield (*before, *tokens[seen].tolist())
    for inner in prefix.prefixes:
        yield from read(inner, sequences, before)


def beginnings(sequences: Sequence[Sequence[int]]) -> set[tuple[int, ...]]:
    return {tuple(tokens[: place + 1]) for tokens in sequences for place in range(len(tokens))}


def made_up(seed: int, count: int = 60) -> list[list[int]]:
    """Sequences of few different tokens, which often begin alike, or with all of another."""
    draw = random.Random(seed)
    made = [[draw.randrange(1, 4) for _ in range(draw.randrange(1, 12))] for _ in range(count)]
    shots = [draw.randrange(1, 9) for _ in range(90)]
    return made + [shots + row for row in made[: count // 2]] + [shots[:50] + row for row in made] + [shots]


@pytest.mark.parametrize("sharing", Sharing)
@pytest.mark.parametrize("seed", range(4))
def test_each_token_is_read_behind_its_beginning(seed: int, sharing: Sharing) -> None:
    given = made_up(seed)
    sequences, places = in_order(given)
    assert [sequences[place].tolist() for place in places] == given
    whole = plan(sequences, sharing, LONGEST, attention=0.001)
    assert set(read(whole, sequences)) == beginnings(given)
    assert whole.needs <= sharing
    assert whole.tokens == sum(1 for _ in read(whole, sequences))


def test_what_can_be_shared_is_read_less_often() -> None:
    sequences, _ = in_order(made_up(0))
    tokens = [plan(sequences, sharing, LONGEST).tokens for sharing in Sharing]
    distinct = len(beginnings([row.tolist() for row in sequences]))
    assert tokens[Sharing.NOTHING] > 2 * tokens[Sharing.PREFIXES] > 2 * tokens[Sharing.TREES] >= 2 * distinct


def test_without_sharing_each_row_is_a_sequence_and_beginnings_of_others_have_none() -> None:
    sequences, _ = in_order([[1, 2], [1, 2, 3], [1, 2, 4, 5], [1]])
    rows = plan(sequences, Sharing.NOTHING, LONGEST).rows
    assert sorted(row.tokens(sequences).tolist() for row in rows) == [[1, 2, 3], [1, 2, 4, 5]]


def test_a_prompt_and_its_choices_are_a_row_and_shown_examples_are_kept() -> None:
    shots = list(range(100, 400))
    questions = [[*shots, *range(number, number + 40), 7, choice] for number in range(50) for choice in range(4)]
    sequences, _ = in_order(questions)
    whole = plan(sequences, Sharing.TREES, LONGEST, attention=0.0005)
    (kept,) = whole.prefixes
    assert (whole.rows, kept.depth, len(kept.rows)) == ([], 300, 50)
    assert {len(row) for row in kept.rows} == {45}


def test_a_prefix_is_kept_where_a_pass_costs_less_than_what_it_saves() -> None:
    for length, kept in ((PASS - 10, 0), (PASS + 10, 1)):
        sequences, _ = in_order([[*range(length), 1000], [*range(length), 1001]])
        assert len(plan(sequences, Sharing.PREFIXES, LONGEST).prefixes) == kept


def test_sequences_that_each_go_on_from_the_last_make_no_deep_recursion() -> None:
    sequences, _ = in_order([[1] * length + [2] for length in range(1, 1500)])
    whole = plan(sequences, Sharing.TREES, LONGEST, attention=0.001)
    assert whole.tokens < 1500 * 1500 / 2


def test_nothing_is_planned_for_nothing() -> None:
    assert plan([], Sharing.TREES, LONGEST).tokens == 0
