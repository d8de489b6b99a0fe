"""Label smoothing and the mean of the last epochs' weights: their values, and where they are refused."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.families import CLASSIFICATION
from harness.core.specs import ModelSpec, TrainingSpec
from harness.core.strict_spec import parse
from harness.training.keeping import MeanWeights
from tests.command_line import Harness


def test_a_smoothed_loss_is_that_of_the_mixed_target() -> None:
    """Logits 0 and ln 3 give 1/4 and 3/4; a target of 0.9 + 0.1/2 and 0.1/2 costs that much of each."""
    logits, targets = torch.tensor([[0.0, math.log(3)]]), torch.tensor([1])
    expected = -(0.95 * math.log(3 / 4) + 0.05 * math.log(1 / 4))
    assert CLASSIFICATION.loss(logits, targets, 0.1).item() == pytest.approx(expected, rel=1e-6)
    assert CLASSIFICATION.loss(logits, targets).item() == pytest.approx(-math.log(3 / 4), rel=1e-6)


def test_the_mean_is_of_the_last_epochs_alone() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    mean = MeanWeights(2, epochs=3)
    for value in (100.0, 1.0, 2.0):
        with torch.no_grad():
            model.weight.fill_(value)
        mean.end_epoch(model)
    assert mean.restore(model) == {"mode": "mean", "epochs": 2}
    assert model.weight.item() == 1.5


@pytest.mark.parametrize(
    ("training", "message"),
    [
        ({"label_smoothing": 1.0}, "training.label_smoothing: input should be less than 1"),
        ({"average_last": 1}, "training.average_last: input should be greater than or equal to 2"),
        ({"average_last": 2, "select": "best"}, "give one or the other"),
        ({"average_last": 5, "epochs": 3}, "average_last: there are 3 epochs, not 5"),
    ],
)
def test_values_that_cannot_be_are_refused(training: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        parse(ModelSpec, {"name": "m", "learner": "transformer", "pretrained": "x", "training": training}, "m.yaml")
    assert message in str(error.value)
    assert TrainingSpec().label_smoothing == 0.0


@pytest.mark.parametrize(
    ("model", "task", "message"),
    [
        ("learner: tfidf\ntraining: {label_smoothing: 0.1}", "sst2", "label_smoothing: tfidf has none; leave it out"),
        (
            "learner: transformer\nconfig: {model_type: bert, hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2}\n"
            "tokenizer: {vocab_size: 100}\ntraining: {label_smoothing: 0.1}",
            "stsb",
            "label_smoothing: similarity by the head sequence-classification has no classes to smooth",
        ),
        ("learner: word-vectors\ntraining: {average_last: 2}", "sst2", "average_last: word-vectors has none"),
    ],
)
def test_what_has_no_use_for_them_says_so(
    harness: Harness, tmp_path: Path, model: str, task: str, message: str
) -> None:
    (tmp_path / "m.yaml").write_text(f"name: mine\n{model}\n", encoding="utf-8")
    done = harness("run", "--task", task, "--model", tmp_path / "m.yaml", "--limit", "40", code=None)
    assert message in done.stderr + done.stdout
