"""Every option of a training, a tokenizer and a generation has an effect: changing it changes the weights, the
vocabulary, the texts or the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from harness.core.decoding_spec import DecodingSpec
from harness.core.predictions import as_references
from harness.core.pretraining_specs import PretrainingSpec, TokenizerSpec
from harness.core.specs import ModelSpec, TaskSpec, TrainingSpec
from harness.data.frame import Split
from harness.training import devices, tokenizers
from harness.training.learners.base import FitRequest
from harness.training.learners.transformer import LEARNER
from tests.unit.modeling.heads.given import TEXTS
from tests.unit.training.pretraining.settings import setting_of, spec, trained

BASE: dict[str, Any] = {"epochs": 3, "batch_size": 8, "learning_rate": 1e-3, "precision": "fp32"}
TRAINING: dict[str, dict[str, Any]] = {
    "epochs": {"epochs": 4},
    "batch_size": {"batch_size": 4},
    "optimizer": {"optimizer": "adafactor"},
    "learning_rate": {"learning_rate": 2e-3},
    "weight_decay": {"weight_decay": 0.9},
    "warmup_ratio": {"warmup_ratio": 0.5},
    "warmup_ratio of constant": {"warmup_ratio": 0.5, "schedule": "constant"},
    "schedule": {"schedule": "constant"},
    "schedule cosine": {"schedule": "cosine"},
    "max_grad_norm": {"max_grad_norm": 0.01},
    "max_length": {"max_length": 6},
    "precision": {"precision": "bf16"},
    "select": {"select": "best"},
    "label_smoothing": {"label_smoothing": 0.3},
    "average_last": {"average_last": 2},
    "adversarial": {"adversarial": "fgm"},
}


def fitted(
    folder: Path, settings: dict[str, Any], dropout: float = 0.1
) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The weights of a tiny classifier, and what a record says of its training."""
    torch.set_num_threads(1)
    texts = [f"{'good' if at % 3 else 'bad'} thing number {at} of a long row of things" for at in range(32)]
    train = Split(tuple(map(str, range(32))), {"text": tuple(texts)}, tuple(int(at % 3 > 0) for at in range(32)))
    config = {
        "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "intermediate_size": 32, "max_position_embeddings": 32, "hidden_dropout_prob": dropout,
        "attention_probs_dropout_prob": dropout,
    }  # fmt: skip
    recipe = ModelSpec(
        name="tiny", learner="transformer", config=config, tokenizer=TokenizerSpec(vocab_size=100),
        training=TrainingSpec.model_validate(settings),
    )  # fmt: skip
    task = TaskSpec(name="t", family="classification", fields={"text": "text", "label": "label"}, metrics=["accuracy"])
    folder.mkdir()
    (folder / "scratch").mkdir()
    (folder / "model").mkdir()
    best = recipe.training.select == "best"
    record = LEARNER.fit(
        FitRequest(
            task, ("0", "1"), train, recipe, 0, folder / "model", folder / "scratch",
            held_out=train if best else None,
            held_out_score=(lambda said: float((said.values == as_references(train.labels or ())).mean())) if best else None,
        )
    )  # fmt: skip
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors"), record


@pytest.mark.slow
def test_every_option_of_a_fine_tuning_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "cpu_bf16_pays", lambda: True)
    before_it = {"augment", "peft"}  # makes the rows, or the weights, that are given to it
    same = {"gradient_checkpointing", "compile"}  # the weights stay; each has a test of its own
    assert {name.partition(" ")[0] for name in TRAINING} | before_it | same == set(TrainingSpec.model_fields)
    weights, record = fitted(tmp_path / "base", BASE)
    constant, _ = fitted(tmp_path / "constant", BASE | {"schedule": "constant"})
    for name, changes in TRAINING.items():
        others, said = fitted(tmp_path / name.replace(" ", "-"), BASE | changes)
        before = constant if name == "warmup_ratio of constant" else weights
        differ = any(not torch.equal(before[one], others[one]) for one in before)
        if name == "select":
            assert said["selection"]["mode"] == "best" != record["selection"]["mode"]
        else:
            assert differ, f"{name} changes nothing"


def test_activations_that_are_computed_again_make_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    inner = torch.utils.checkpoint.checkpoint

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return inner(*args, **kwargs)

    weights, _ = fitted(tmp_path / "base", BASE)
    monkeypatch.setattr(torch.utils.checkpoint, "checkpoint", counted)
    monkeypatch.setattr("transformers.modeling_utils.checkpoint", counted)
    again, _ = fitted(tmp_path / "again", BASE | {"gradient_checkpointing": True})
    assert calls, "no layer was computed again"
    assert all(torch.equal(weights[name], again[name]) for name in weights)


@pytest.mark.nightly
@pytest.mark.slow
def test_a_compiled_model_learns_what_the_plain_one_does(tmp_path: Path) -> None:
    """Dropout drops others in a compiled model, so that there is none."""
    changes = {"learning_rate": 1e-3}
    plain, first = fitted(tmp_path / "plain", BASE | changes, dropout=0.0)
    compiled, second = fitted(tmp_path / "compiled", BASE | changes | {"compile": True}, dropout=0.0)
    assert second["steps"] == first["steps"]
    for name in plain:
        assert torch.allclose(plain[name], compiled[name], atol=2e-4), name


PRETRAINING: dict[str, dict[str, Any]] = {
    "steps": {"steps": 11},
    "tokens": {"steps": None, "tokens": 11 * 4 * 24},
    "batch_size": {"batch_size": 8},
    "optimizer": {"optimizer": "adafactor"},
    "learning_rate": {"learning_rate": 2e-3},
    "weight_decay": {"weight_decay": 0.9},
    "schedule": {"schedule": "linear"},
    "warmup_ratio": {"warmup_ratio": 0.5},
    "decay_ratio": {"decay_ratio": 0.8},
    "max_grad_norm": {"max_grad_norm": 0.01},
    "seed": {"seed": 5},
    "accumulate": {"accumulate": 2},
    "adversarial": {"adversarial": "fgm"},
}
ELSEWHERE = {
    "augment", "objective", "options", "corpus", "sentences", "field", "block_size", "dropout", "precision", "budget", "checkpoint_every",
    "gradient_checkpointing", "compile", "peft",
}  # fmt: skip
"""What is chosen before the loop begins, or takes effect in time alone; each has tests of its own."""


def test_every_option_of_the_pretraining_loop_changes_it(tmp_path: Path) -> None:
    assert {*PRETRAINING, *ELSEWHERE} == set(PretrainingSpec.model_fields)
    setting = setting_of("clm")
    _, weights = trained(setting, tmp_path / "base", spec())
    for name, changes in PRETRAINING.items():
        _, others = trained(setting, tmp_path / name, spec(**changes))
        assert any((weights[one] != others[one]).any() for one in weights), f"{name} changes nothing"


@pytest.mark.parametrize(
    ("base", "changes"),
    [
        ({"kind": "wordpiece"}, {"kind": "unigram"}),
        ({"kind": "wordpiece"}, {"vocab_size": 90}),
        ({"kind": "wordpiece"}, {"lowercase": False}),
        ({"kind": "unigram"}, {"lowercase": False}),
        ({"kind": "unigram"}, {"words": ["entailment"]}),
    ],
)
def test_every_option_of_a_tokenizer_changes_it(base: dict[str, Any], changes: dict[str, Any]) -> None:
    def made(values: dict[str, Any]) -> list[list[int]]:
        tokenizer = tokenizers.train(TokenizerSpec.model_validate({"vocab_size": 400, **values}), TEXTS, 64)
        return tokenizer(["The Old stone house: entailment", "我喜欢"])["input_ids"]

    assert made(base) != made(base | changes)


@pytest.mark.parametrize(
    ("model", "values", "complaint"),
    [
        (TokenizerSpec, {"kind": "bytebpe", "lowercase": True}, "keeps every byte"),
        (TokenizerSpec, {"words": ["a"]}, "words go with kind unigram"),
        (DecodingSpec, {"temperature": 0.5}, "temperature goes with do_sample"),
        (DecodingSpec, {"top_k": 5}, "top_k goes with do_sample"),
        (DecodingSpec, {"top_p": 0.5, "num_beams": 2}, "top_p goes with do_sample"),
        (DecodingSpec, {"length_penalty": 2}, "length_penalty goes with num_beams"),
        (PretrainingSpec, {"objective": "mlm", "steps": 1, "schedule": "linear", "decay_ratio": 0.5}, "goes with the schedule wsd"),
    ],
)  # fmt: skip
def test_an_option_that_would_do_nothing_is_refused(model: Any, values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        model.model_validate(values)
