"""Causal language modelling of documents that share a block."""

from __future__ import annotations

import numpy as np
import pytest

from harness.core.errors import HarnessError
from tests.unit.training.pretraining.settings import setting_of

SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
KINDS = {
    "GPT2LMHeadModel": {"n_embd": 16, "n_layer": 2, "n_head": 2},
    "LlamaForCausalLM": {**SIZES, "num_key_value_heads": 1},
}


@pytest.fixture
def clm():
    """The objective with documents apart, and a way to build a model of a class without dropout."""
    import torch
    import transformers

    packed, *_ = setting_of("clm")
    apart = type(packed)(packed.Options(documents="apart"), packed.tokens, packed.block_size)

    def build(kind: str, **sizes):
        torch.manual_seed(0)
        made = getattr(transformers, kind)
        special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
        return made(made.config_class(vocab_size=packed.tokens.size, **special, **sizes)).eval()

    return apart, build


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_in_a_block_has_the_loss_that_it_has_alone(kind, clm):
    import torch

    apart, build = clm
    model = build(kind, **KINDS[kind])
    apart.try_out(model)
    end, words = apart.tokens.end, np.flatnonzero(~apart.tokens.special)
    documents = [[end, *words[start : start + length]] for start, length in ((3, 6), (20, 9), (9, 1), (30, 5))]
    block = np.asarray([[*np.concatenate(documents), end]])
    alone = 0.0
    for document in documents:
        rows = np.asarray([[*document, end]])
        batch = {name: torch.from_numpy(value) for name, value in apart.corrupt(rows, np.random.default_rng(0)).items()}
        alone += float(apart.loss(model, batch)) * len(document)
    batch = {name: torch.from_numpy(value) for name, value in apart.corrupt(block, np.random.default_rng(0)).items()}
    assert batch["position_ids"][0].tolist() == [*range(7), *range(10), *range(2), *range(6)]
    assert float(apart.loss(model, batch)) == pytest.approx(alone / (block.size - 1), abs=1e-5)
    assert float(apart.outputs(model, batch).loss) == pytest.approx(alone / (block.size - 1), abs=1e-5)
    with torch.no_grad():
        nats, tokens = apart.measure(model, batch)["perplexity"]
    assert nats[0] / tokens[0] == pytest.approx(alone / (block.size - 1), abs=1e-5)
    together = {name: value for name, value in batch.items() if name != "position_ids"}
    assert abs(float(apart.loss(model, together)) - alone / (block.size - 1)) > 1e-4


def test_models_that_read_past_the_ends_of_documents_are_refused(clm):
    apart, build = clm
    model = build("BloomForCausalLM", hidden_size=16, n_layer=1, n_head=2)
    with pytest.raises(HarnessError, match="BloomForCausalLM reads past the ends of documents"):
        apart.try_out(model)
