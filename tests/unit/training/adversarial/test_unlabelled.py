"""Batches of texts without labels."""

from __future__ import annotations

import torch

from harness.modeling.inference.batching import DataCollator, TokenizedDataset
from harness.training.adversarial.unlabelled import UnlabelledBatches

ROWS = [[number] * (1 + number % 3) for number in range(1, 11)]
PADDING = DataCollator({"input_ids": 0}, 1)


def batches(size: int, seed: int = 0) -> UnlabelledBatches:
    encoded = TokenizedDataset({"input_ids": ROWS}, [len(row) for row in ROWS], 0)
    return UnlabelledBatches(encoded, PADDING, size, seed, torch.device("cpu"))


def seen(of: UnlabelledBatches, step: int, part: tuple[int, int] = (0, 1)) -> list[int]:
    return of.at(step, part)["input_ids"][:, 0].tolist()


def test_each_round_has_every_text_once() -> None:
    of = batches(5)
    rounds = [[*seen(of, step), *seen(of, step + 1)] for step in (0, 2, 4)]
    assert all(sorted(texts) == list(range(1, 11)) for texts in rounds)
    assert rounds[0] != rounds[1] != rounds[2]


def test_a_step_does_not_depend_on_those_before() -> None:
    of = batches(4)
    assert [seen(of, step) for step in (7, 2, 7)] == [seen(batches(4), step) for step in (7, 2, 7)]
    assert seen(of, 0) != seen(batches(4, seed=1), 0)


def test_processes_share_a_batch() -> None:
    of = batches(5)
    whole = seen(of, 3)
    assert [seen(of, 3, (0, 2)), seen(of, 3, (1, 2))] == [whole[0::2], whole[1::2]]


def test_a_batch_is_no_larger_than_all_there_is() -> None:
    assert sorted(seen(batches(64), 5)) == list(range(1, 11))
