"""Training values that a model spec leaves open, and what is said of a training that learned nothing."""

from __future__ import annotations

import pytest

from harness.core.families import CLASSIFICATION
from harness.core.specs import TrainingSpec
from harness.data.frame import Split
from harness.training.curves import cautions_of
from harness.training.defaults import epochs_for, learning_rate_for, length_for


@pytest.mark.parametrize(
    ("examples", "epochs"), [(540, 18), (20, 100), (3200, 3), (3199, 3), (1000, 10), (100_000, 3), (1, 100)]
)
def test_small_splits_get_at_least_300_steps(examples: int, epochs: float) -> None:
    assert epochs_for(TrainingSpec(), examples) == epochs


def test_what_the_spec_says_stays() -> None:
    spec = TrainingSpec(epochs=1, learning_rate=0.5, max_length=16)
    assert (
        epochs_for(spec, 10),
        learning_rate_for(spec, 10, False),
        length_for(spec, 512, None, CLASSIFICATION, None),
    ) == (1, 0.5, 16)


@pytest.mark.parametrize(
    ("parameters", "seq2seq", "rate"),
    [(4e6, False, 3e-4), (22e6, False, 1e-4), (110e6, False, 3e-5), (335e6, False, 1e-5), (60e6, True, 3e-4), (700e6, True, 1e-5)],
)  # fmt: skip
def test_smaller_models_take_larger_steps(parameters: float, seq2seq: bool, rate: float) -> None:
    assert learning_rate_for(TrainingSpec(), int(parameters), seq2seq) == rate


def test_adafactor_has_a_rate_of_its_own() -> None:
    assert learning_rate_for(TrainingSpec(optimizer="adafactor"), 10**8, True) == 5e-3


def words(texts: list[str], verbose: bool) -> dict[str, list[list[int]]]:
    return {"input_ids": [[0] * len(text.split()) for text in texts]}


@pytest.mark.parametrize(
    ("limit", "longest", "length"), [(512, 30, 512), (64, 300, 64), (None, 30, 128), (None, 300, 304), (8192, 300, 304), (None, 9000, 1024)]
)  # fmt: skip
def test_a_text_is_read_as_far_as_the_model_can(limit: int | None, longest: int, length: int) -> None:
    texts = ("short text",) * 10 + ("w " * longest,) * 90
    split = Split(tuple(map(str, range(100))), {"text": texts})
    assert length_for(TrainingSpec(), limit, words, CLASSIFICATION, split) == length


def test_a_loss_that_does_not_move_is_said() -> None:
    assert cautions_of([0.693, 0.694] * 20) == [
        "the training loss has not moved in 40 steps (0.694 at first, 0.694 in the end)"
    ]
    assert cautions_of([0.7 - 0.01 * step for step in range(40)]) == []
    assert cautions_of([0.7] * 3) == []
