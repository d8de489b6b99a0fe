"""What compression leaves of a generative model: measured on texts, warned of where it is little; outliers smoothed."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize(("kind", "task"), [("gpt2", "story-generation"), ("t5", "dialogsum")])
def test_a_generative_model_is_compared_with_its_original_token_by_token(trained, compressed, kind, task):
    model = trained(kind, task, 12)
    _, plain = compressed(model, "onnx")
    assert plain["fidelity"]["agreement"] > 0.999
    assert plain["fidelity"]["nats_after"] == pytest.approx(plain["fidelity"]["nats_before"], abs=1e-4)
    assert not any("WARNING" in note for note in plain["notes"])
    assert any("nats a token, the likeliest token is the same at" in note for note in plain["notes"])
    _, pruned = compressed(model, "prune-magnitude:0.95")
    assert pruned["fidelity"]["agreement"] < 0.9
    assert any(note.startswith("WARNING: its perplexity is") for note in pruned["notes"])


def test_nats_are_those_of_the_plain_model(trained, compressed):
    import torch

    from harness.compression.texts import WORLD, checking_texts
    from harness.modeling.runtimes.torch_eager import load
    from harness.modeling.weights.settings import read_settings

    model = trained("gpt2", "story-generation", 12)
    _, said = compressed(model, "bf16")
    plain, tokenizer = load(model.folder)
    settings = read_settings(model.folder)
    assert checking_texts(settings, tokenizer, None, 0, 64)[2] == WORLD
    _, rows, kind = checking_texts(settings, tokenizer, model.examples, 0, 64)
    assert kind == said["fidelity"]["texts"] == "12 examples of story-generation"
    total, count = 0.0, 0
    with torch.no_grad():
        for at in range(len(rows)):
            ids = torch.tensor([rows[at]["input_ids"]])
            total += float(plain(ids, labels=ids).loss) * (ids.shape[1] - 1)
            count += ids.shape[1] - 1
    assert said["fidelity"]["tokens"] == count
    assert said["fidelity"]["nats_before"] == pytest.approx(total / count, rel=1e-5)


def test_a_classifier_has_no_tokens_to_compare(trained, compressed):
    assert "fidelity" not in compressed(trained("bert", "sst2", 60), "int8")[1]


@pytest.mark.parametrize(("kind", "task"), [("gpt2", "story-generation"), ("bert", "sst2"), ("t5", "dialogsum")])
def test_smoothing_changes_no_float(trained, tmp_path, kind, task):
    import torch

    from harness.compression.base import Request
    from harness.compression.smoothing import smooth
    from harness.modeling.runtimes.torch_eager import load
    from harness.modeling.weights.layers import as_linear

    model = trained(kind, task, 60 if kind == "bert" else 12)
    plain, tokenizer = load(model.folder)
    as_linear(plain)
    ids = torch.tensor([tokenizer("the old stone house is near the river")["input_ids"]])
    more = {"decoder_input_ids": ids} if plain.config.is_encoder_decoder else {}
    plain.eval()
    with torch.no_grad():
        before = plain(input_ids=ids, **more).logits
        smoothed = smooth(
            plain, tokenizer, Request(model.folder, model.folder, tmp_path, tmp_path, examples=model.examples), 0.5
        )
        after = plain(input_ids=ids, **more).logits
    assert smoothed > 2
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-3)


def test_smoothing_helps_int8_where_activations_have_outliers(trained, compressed, tmp_path):
    """Channels of a norm a hundred times as large, and what multiplies them as small: the same function, harder to
    quantize, as trained language models are.
    """
    import shutil

    import torch

    from harness.modeling.runtimes.torch_eager import load

    model = trained("gpt2", "story-generation", 12)
    plain, _ = load(model.folder)
    with torch.no_grad():
        for block in plain.transformer.h:
            for norm, layer in ((block.ln_1, block.attn.c_attn), (block.ln_2, block.mlp.c_fc)):
                norm.weight[:3] *= 300
                norm.bias[:3] *= 300
                layer.weight[:3] /= 300
    shutil.copytree(model.folder, tmp_path / "outliers")
    plain.save_pretrained(tmp_path / "outliers")
    hard = replace(model, folder=tmp_path / "outliers")
    _, rough = compressed(hard, "int8:embeddings=false")
    _, smoothed = compressed(hard, "int8:embeddings=false,smooth=0.5")
    assert smoothed["steps"][0]["smoothed"] > 4
    assert smoothed["fidelity"]["nats_before"] == pytest.approx(rough["fidelity"]["nats_before"])
    assert smoothed["fidelity"]["agreement"] > rough["fidelity"]["agreement"] + 0.02
