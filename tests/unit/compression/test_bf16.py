"""bfloat16: every head is served in it, it chains, and what is written is half as large and the same when read again."""

from __future__ import annotations

import numpy as np
import pytest

from harness.compression.methods import parse_method
from harness.core.errors import HarnessError


@pytest.mark.parametrize("kind", ["bert", "gpt2", "t5", "deberta-v3"])
def test_models_are_served_in_it(trained, compressed, kind):
    from harness.modeling.runtimes import open_model

    model = trained(kind)
    folder, said = compressed(model, "bf16")
    assert said["runtime"] == "torch-bf16"
    assert said["after"]["parameters"] == said["before"]["parameters"]
    assert said["after"]["bytes"] < 0.54 * said["before"]["bytes"]
    assert {str(one.dtype) for one in open_model(folder).module.parameters()} == {"torch.bfloat16"}
    before, once, again = model.predict(), model.predict(folder), model.predict(folder)
    assert np.array_equal(once.columns["logits"], again.columns["logits"])
    assert 0 < np.abs(before.columns["logits"] - once.columns["logits"]).max() < 0.3
    assert (before.values == once.values).mean() >= 0.95


@pytest.mark.parametrize("method", ["prune-structured:0.5|bf16", "int8-weight|bf16", "prune-2:4|bf16"])
def test_what_other_methods_made_is_read(trained, compressed, method):
    model = trained("bert")
    first, _ = compressed(model, method.removesuffix("|bf16"))
    both, said = compressed(model, method)
    assert said["runtime"] == "torch-bf16"
    assert said["steps"][1]["method"] == "bf16"
    assert (model.predict(first).values == model.predict(both).values).mean() >= 0.95


def test_rotary_frequencies_stay_float32():
    import torch
    from transformers import ModernBertConfig, ModernBertForSequenceClassification

    from harness.modeling.runtimes.torch_eager import in_floats

    config = ModernBertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=32, vocab_size=100, pad_token_id=0
    )
    model = ModernBertForSequenceClassification(config)
    buffers = {name: one.dtype for name, one in model.named_buffers() if one.is_floating_point()}
    assert buffers
    in_floats(model, "bfloat16")
    assert {name: one.dtype for name, one in model.named_buffers() if one.is_floating_point()} == buffers
    assert {one.dtype for one in model.parameters()} == {torch.bfloat16}


def test_other_methods_do_not_read_it():
    with pytest.raises(
        HarnessError, match="bf16 gives a model for torch-bf16, which int8 does not read; put bf16 last"
    ):
        parse_method("bf16|int8")


@pytest.mark.nightly
@pytest.mark.slow
@pytest.mark.parametrize("compiling", ["compile", "compile:regional=true"])
def test_it_is_compiled(trained, compressed, compiling):
    model = trained("bert")
    eager, _ = compressed(model, "bf16")
    folder, said = compressed(model, f"bf16|{compiling}")
    assert said["runtime"] == "torch-compile"
    one, other = model.predict(eager), model.predict(folder)
    assert np.abs(one.columns["logits"] - other.columns["logits"]).max() < 0.05
    assert (one.values == other.values).mean() >= 0.95
