"""Weights of a checkpoint that stay in its files until a process asks for its part of them."""

from __future__ import annotations

import json

import pytest

from harness.core.errors import HarnessError

SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 2}


def saved(kind, folder, dtype="float32", shard="10GB", **sizes):
    """A random model of a class of `transformers`, as its `save_pretrained` writes it."""
    import torch
    import transformers

    torch.manual_seed(1)
    config = getattr(transformers, kind).config_class(vocab_size=200, **(sizes or SMALL))
    model = getattr(transformers, kind)(config).to(getattr(torch, dtype))
    model.save_pretrained(folder, max_shard_size=shard)
    return folder


def loaded(auto_class, folder):
    """The model that is loaded at once, and the one whose weights are read afterwards, with the random numbers that
    each leaves.
    """
    import torch

    from harness.modeling.weights.loading import config_of, load_weights
    from harness.modeling.weights.stored import stored_in
    from harness.training.deferred import DeferredWeights

    torch.manual_seed(7)
    expected = load_weights(auto_class, folder, new_head=True, learns_head=True)
    after = torch.get_rng_state()
    torch.manual_seed(7)
    with DeferredWeights() as weights:
        options = {"config": config_of(folder), "state_dict": weights.unread(stored_in(folder))}
        model = load_weights(auto_class, folder, new_head=True, learns_head=True, **options)
    assert torch.equal(torch.get_rng_state(), after)
    return expected, model, weights


CHECKPOINTS = {
    "a new head": ("BertModel", "AutoModelForSequenceClassification", {}),
    "bf16": ("BertModel", "AutoModelForSequenceClassification", {"dtype": "bfloat16"}),
    "several files": ("BertForMaskedLM", "AutoModelForMaskedLM", {"shard": "60KB"}),
    "a tied output layer": ("GPT2LMHeadModel", "AutoModelForCausalLM", {
        "n_embd": 64, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}),
    "experts, which are merged": ("MixtralForCausalLM", "AutoModelForCausalLM", {
        **SMALL, "num_key_value_heads": 2, "num_local_experts": 3, "shard": "200KB"}),
    "shared embeddings": ("T5ForConditionalGeneration", "AutoModelForSeq2SeqLM", {
        "d_model": 64, "d_kv": 32, "d_ff": 96, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}),
}  # fmt: skip


@pytest.mark.parametrize("what", CHECKPOINTS)
def test_weights_read_later_are_those_of_a_model_that_was_loaded_at_once(what, tmp_path):
    import torch

    kind, auto_class, sizes = CHECKPOINTS[what]
    expected, model, weights = loaded(auto_class, saved(kind, tmp_path, **sizes))
    unread = [name for name, weight in model.named_parameters() if weight.is_meta]
    assert len(unread) > len(list(model.parameters())) // 2
    with_tied = dict(model.named_parameters(remove_duplicate=False))
    whole = dict(expected.named_parameters(remove_duplicate=False))
    for name, weight in weights.in_files(model).items():
        half = len(weight) // 2
        assert torch.equal(weights.rows(weight, half, len(weight)), whole[name][half:]), name
    weights.fill(model)
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in expected.named_parameters()]
    assert with_tied.keys() == whole.keys()
    ours, theirs = model.state_dict(), expected.state_dict()
    assert all(torch.equal(ours[name], tensor) and ours[name].dtype == tensor.dtype for name, tensor in theirs.items())


def test_names_that_transformers_changes_are_read_too(tmp_path):
    import torch
    from safetensors.torch import load_file, save_file

    file = saved("BertModel", tmp_path) / "model.safetensors"
    older = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in load_file(file).items()
    }
    save_file({**older, "embeddings.position_ids": torch.arange(512)[None]}, file, metadata={"format": "pt"})
    expected, model, weights = loaded("AutoModelForTokenClassification", tmp_path)
    weights.fill(model)
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in expected.state_dict().items())


def test_weights_that_do_not_fit_are_named_before_they_are_read(tmp_path):
    from harness.modeling.weights.loading import config_of, load_weights
    from harness.modeling.weights.stored import stored_in
    from harness.training.deferred import DeferredWeights

    saved("BertModel", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with DeferredWeights() as weights, pytest.raises(HarnessError, match=r"do not fit its config\.json: 16 missing"):
        unread = weights.unread(stored_in(tmp_path))
        load_weights("AutoModel", tmp_path, config=config_of(tmp_path), state_dict=unread)


def test_an_index_that_leads_out_of_the_folder_is_refused(tmp_path):
    from harness.modeling.weights.stored import stored_in

    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../b.safetensors"}}))
    with pytest.raises(HarnessError, match="is no file of the folder"):
        stored_in(tmp_path)
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "b.safetensors"}}))
    (tmp_path / "b.safetensors").write_bytes(b"no weights")
    with pytest.raises(HarnessError, match=r"cannot read b\.safetensors"):
        stored_in(tmp_path)
