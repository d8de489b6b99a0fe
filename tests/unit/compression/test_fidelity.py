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
    assert checking_texts(settings, tokenizer, None, 0, 64)[1] == WORLD
    rows, kind = checking_texts(settings, tokenizer, model.examples, 0, 64)
    assert kind == said["fidelity"]["texts"] == "12 examples of story-generation"
    total, count = 0.0, 0
    with torch.no_grad():
        for at in range(len(rows)):
            ids = torch.tensor([rows.rows([at])[0]["input_ids"]])
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


@pytest.fixture(scope="module")
def with_outliers(trained, tmp_path_factory):
    """A language model of which one layer alone is hard to quantize: three channels of what it reads are a thousand
    times as large, and what multiplies them as small.
    """
    import shutil

    import torch

    from harness.modeling.runtimes.torch_eager import load

    model = trained("gpt2", "story-generation", 12)
    plain, _ = load(model.folder)
    with torch.no_grad():
        block = plain.transformer.h[1]
        block.ln_2.weight[:3] *= 1000
        block.ln_2.bias[:3] = 1000
        block.mlp.c_fc.weight[:3] /= 1000
        block.mlp.c_proj.weight *= 20
    folder = shutil.copytree(model.folder, tmp_path_factory.mktemp("outliers") / "model")
    plain.save_pretrained(folder)
    return replace(model, folder=folder)


@pytest.mark.slow
def test_the_strength_of_smoothing_is_the_best_of_those_tried(with_outliers, compressed):
    _, said = compressed(with_outliers, "int8:embeddings=false,smooth=auto")
    (step,) = said["steps"]
    tried = {one["smooth"]: one["agreement"] for one in step["search"]["smooth"]}
    assert None in tried and len(tried) > 4
    assert step["options"]["smooth"] == max(tried, key=lambda strength: tried[strength])
    assert tried[step["options"]["smooth"]] > tried[None] + 0.1
    assert any(note.startswith("smooth=auto took") for note in said["notes"])
    _, by_hand = compressed(with_outliers, f"int8:embeddings=false,smooth={step['options']['smooth']}")
    assert by_hand["fidelity"] == said["fidelity"]


def test_the_layers_that_hurt_most_stay_in_float_until_the_margin_holds(with_outliers, trained, compressed):
    folder, said = compressed(with_outliers, "int8:embeddings=false,skip=auto,margin=0.01")
    (step,) = said["steps"]
    assert step["options"]["skip"] == step["search"]["skip"] == ["layer.1.ffn"]
    damages = {one["layers"]: one["agreement"] for one in step["search"]["layers"]}
    assert min(damages, key=lambda layer: damages[layer]) == "layer.1.ffn"
    assert {"layer.0.attention", "layer.0.ffn", "layer.1.attention", "layer.1.ffn"} == set(damages)
    assert "skip=auto leaves 1 of 4 groups of layers in float, layer.1.ffn" in (folder / "README.md").read_text()
    _, rough = compressed(with_outliers, "int8:embeddings=false")
    assert said["fidelity"]["agreement"] > 0.9 > rough["fidelity"]["agreement"]
    assert not any("WARNING" in note for note in said["notes"])
    _, easy = compressed(trained("gpt2", "story-generation", 12), "int8-weight:skip=auto")
    assert easy["steps"][0]["options"]["skip"] == []


def test_a_search_that_cannot_be_is_refused(trained, compressed, with_outliers, monkeypatch):
    from harness.compression import search
    from harness.compression.methods import parse_method
    from harness.core.errors import HarnessError

    with pytest.raises(HarnessError, match="there is one group of layers"):
        compressed(with_outliers, "prune-magnitude:sparsity=0.99,only=layer.1.ffn,skip=auto")
    with monkeypatch.context() as patch, pytest.raises(HarnessError, match="take a method that loses less"):
        patch.setattr(search, "AGREEMENT_AT_LEAST", 1.1)
        compressed(with_outliers, "int8-weight:skip=auto")
    with pytest.raises(HarnessError, match="auto searches by what a model says of texts"):
        compressed(trained("bert", "sst2", 60), "int8:skip=auto")
    for text, reason in {
        "int8:skip=auto,layer.0": "auto stands alone",
        "int8:margin=0.1": "margin goes with skip=auto",
        "int8:smooth=automatic": "a number from 0 to 1, or auto",
        "int8:smooth=2": "a number from 0 to 1, or auto",
        "int8:skip=auto,margin=-1": "greater than 0",
    }.items():
        with pytest.raises(HarnessError, match=reason):
            parse_method(text)
