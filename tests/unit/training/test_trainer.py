"""Fine-tuning: what the choice of the best epoch rests on."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

import pytest
import torch

from harness.core.specs import TrainingSpec
from harness.modeling.inference.batching import DataCollator, TokenizedDataset
from harness.training import devices, lazy_rows
from harness.training.trainer import fine_tune


def tiny_model() -> tuple[Any, Any]:
    from tokenizers import Tokenizer, models
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1, "b": 2}, unk_token="[PAD]"))
    config = BertConfig(
        vocab_size=3, hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, num_labels=2,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    torch.manual_seed(0)
    return BertForSequenceClassification(config), PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]")


def test_epochs_are_scored_in_the_precision_of_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_bf16_pays", lambda: True)
    model, tokenizer = tiny_model()
    rows = [[1, 2], [2, 1], [1, 1], [2, 2]]
    encoded = TokenizedDataset({"input_ids": rows, "attention_mask": [[1, 1]] * 4, "labels": [0, 1, 0, 1]}, [2] * 4)
    inputs = {"input_ids": torch.tensor(rows), "attention_mask": torch.ones(4, 2, dtype=torch.long)}
    trained: list[torch.dtype] = []
    scored: list[torch.Tensor] = []
    model.classifier.register_forward_hook(lambda module, args, output: trained.append(output.dtype))

    def loss(current: Any, batch: dict[str, Any]) -> torch.Tensor:
        return current(**batch).loss

    def score(current: Any) -> float:
        with torch.inference_mode():
            on_device = {name: tensor.to(current.device) for name, tensor in inputs.items()}
            scored.append(current.eval()(**on_device).logits.cpu())
        current.train()
        return float(len(scored))

    training = TrainingSpec(epochs=2, batch_size=4, learning_rate=1e-3, precision="bf16")
    fine_tune(model, partial(DataCollator.of, tokenizer), encoded, loss, 1.0, training, 0, lambda fraction: None, score)

    assert torch.bfloat16 in trained
    model.eval()
    final = (
        type(model).forward(model, **{name: tensor.to(model.device) for name, tensor in inputs.items()}).logits.cpu()
    )
    assert len(scored) == 2
    assert torch.equal(scored[-1], final)


def test_the_loss_of_each_step_is_that_of_its_batch_a_target() -> None:
    model, tokenizer = tiny_model()
    rows = [[1, 2], [2, 1], [1, 1], [2, 2], [1, 2], [2, 1]]
    encoded = TokenizedDataset(
        {"input_ids": rows, "attention_mask": [[1, 1]] * 6, "labels": [0, 1, 0, 1, 1, 0]}, [2] * 6
    )
    seen: list[float] = []

    def loss(current: Any, batch: dict[str, Any]) -> torch.Tensor:
        logits = current(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        summed = torch.nn.functional.cross_entropy(logits, batch["labels"], reduction="sum")
        seen.append(float(summed.detach()) / len(batch["labels"]))
        return summed

    training = TrainingSpec(epochs=2, batch_size=4, learning_rate=1e-2, precision="fp32")
    report = fine_tune(
        model, partial(DataCollator.of, tokenizer), encoded, loss, 1.0, training, 0, lambda fraction: None
    )
    assert report.steps == len(report.losses) == 4  # a batch of four and one of two, twice
    assert report.losses == pytest.approx(seen)


@pytest.mark.parametrize(("optimizer", "expected"), [("adamw", [0.1, 0.1]), ("adafactor", [0.1 * 50, 0.1 * 0.02])])
def test_the_first_step_is_the_rate_or_the_rate_times_the_size_of_the_weight(
    optimizer: Literal["adamw", "adafactor"], expected: list[float]
) -> None:
    model, tokenizer = tiny_model()
    watched = [model.classifier.weight, model.bert.pooler.dense.weight]
    with torch.no_grad():
        for weight, size in zip(watched, [50.0, 0.02], strict=True):
            weight.copy_(size * torch.where(torch.rand_like(weight) < 0.5, -1.0, 1.0))
        model.classifier.weight[1] = -model.classifier.weight[0]  # so that each weight of the pooler has a gradient
        row = {"input_ids": torch.tensor([[1, 2]]), "attention_mask": torch.ones(1, 2, dtype=torch.long)}
        wrong = 1 - int(model.eval()(**row).logits.argmax())
    before = [weight.detach().clone() for weight in watched]
    encoded = TokenizedDataset({"input_ids": [[1, 2]], "attention_mask": [[1, 1]], "labels": [wrong]}, [2])
    training = TrainingSpec(
        epochs=1, batch_size=1, learning_rate=0.1, optimizer=optimizer, weight_decay=0, warmup_ratio=0,
        max_grad_norm=1e9, precision="fp32",
    )  # fmt: skip
    fine_tune(
        model, partial(DataCollator.of, tokenizer), encoded, lambda current, batch: current(**batch).loss, 1.0, training, 0,
        lambda fraction: None,
    )  # fmt: skip
    steps = [
        (weight.detach().cpu() - old).square().mean().sqrt().item() for weight, old in zip(watched, before, strict=True)
    ]
    assert steps == pytest.approx(expected, rel=0.05)


def test_a_loaded_model_drops_while_it_is_trained_and_after_each_epoch_that_was_scored() -> None:
    model, tokenizer = tiny_model()
    encoded = TokenizedDataset({"input_ids": [[1, 2]] * 2, "attention_mask": [[1, 1]] * 2, "labels": [0, 1]}, [2] * 2)
    seen: list[bool] = []

    def loss(current: Any, batch: dict[str, Any]) -> torch.Tensor:
        seen.append(all(module.training for module in current.modules()))
        return current(**batch).loss

    training = TrainingSpec(epochs=2, batch_size=2, learning_rate=1e-3, precision="fp32")
    fine_tune(
        model.eval(), partial(DataCollator.of, tokenizer), encoded, loss, 1.0, training, 0, lambda fraction: None,
        select_by=lambda current: float(not current.eval().training),
    )  # fmt: skip
    assert seen == [True, True]


@pytest.mark.parametrize(("epochs", "steps", "scored"), [(0.5, 2, 1), (1.5, 5, 2), (2, 6, 2)])
def test_a_last_epoch_that_is_cut_short_is_scored_too(epochs: float, steps: int, scored: int) -> None:
    model, tokenizer = tiny_model()
    rows = {"input_ids": [[1, 2]] * 5, "attention_mask": [[1, 1]] * 5, "labels": [0, 1, 0, 1, 0]}
    training = TrainingSpec(epochs=epochs, batch_size=2, learning_rate=1e-3, precision="fp32", warmup_ratio=0)
    report = fine_tune(
        model, partial(DataCollator.of, tokenizer), TokenizedDataset(rows, [2] * 5),
        lambda current, batch: current(**batch).loss, 1.0, training,
        0, lambda fraction: None, select_by=lambda current: 1.0,
    )  # fmt: skip
    assert report.steps == steps and len(report.selection["history"]) == scored
    assert report.rates == pytest.approx([1e-3 * (steps - step) / steps for step in range(steps)])


def test_a_model_is_the_same_whether_rows_are_moved_in_each_step_or_when_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [[1, 2], [2, 1], [1, 1], [2, 2]] * 4
    encoded = TokenizedDataset({"input_ids": rows, "attention_mask": [[1, 1]] * 16, "labels": [0, 1] * 8}, [2] * 16)
    training = TrainingSpec(epochs=3, batch_size=4, learning_rate=1e-2, precision="fp32", max_grad_norm=0.1)

    def weights() -> tuple[bool, dict[str, torch.Tensor]]:
        model, tokenizer = tiny_model()
        report = fine_tune(
            model, partial(DataCollator.of, tokenizer), encoded, lambda current, batch: current(**batch).loss, 1.0,
            training, 0, lambda fraction: None,
            select_by=lambda current: current.bert.embeddings.word_embeddings.weight.sum().item(),
        )  # fmt: skip
        return report.lazy_rows, model.state_dict()

    every, expected = weights()
    monkeypatch.setattr(lazy_rows, "ROWS_FROM", 0)
    monkeypatch.setattr(lazy_rows, "ROWS_A_TOKEN", 0)
    by_row, weights_by_row = weights()
    assert (every, by_row) == (False, True)
    for name, tensor in expected.items():
        assert torch.allclose(weights_by_row[name], tensor, rtol=1e-4, atol=1e-6), name
