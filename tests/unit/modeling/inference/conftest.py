"""Small random models that read and write, and a stand-in for their tokenizer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

END, PAD = 1, 0


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return SimpleNamespace(eos_token_id=END, pad_token_id=PAD, bos_token_id=None)


def small_gpt2() -> Any:
    import torch
    from transformers import AutoModelForCausalLM, GPT2Config

    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=40, n_embd=32, n_layer=2, n_head=2, n_positions=64, eos_token_id=END, bos_token_id=END,
        initializer_range=0.4,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config).eval()


def small_llama() -> Any:
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=64, eos_token_id=END, bos_token_id=END, initializer_range=0.4,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config).eval()


def small_t5() -> Any:
    import torch
    from transformers import AutoModelForSeq2SeqLM, T5Config

    torch.manual_seed(0)
    config = T5Config(
        vocab_size=40, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, eos_token_id=END, pad_token_id=PAD,
        decoder_start_token_id=PAD, initializer_factor=3.0,
    )  # fmt: skip
    return AutoModelForSeq2SeqLM.from_config(config).eval()


def small_bart() -> Any:
    import torch
    from transformers import AutoModelForSeq2SeqLM, BartConfig

    torch.manual_seed(0)
    config = BartConfig(
        vocab_size=40, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2,
        decoder_attention_heads=2, encoder_ffn_dim=64, decoder_ffn_dim=64, max_position_embeddings=64,
        eos_token_id=END, pad_token_id=PAD, bos_token_id=2, decoder_start_token_id=END, forced_eos_token_id=None,
        init_std=0.6,
    )  # fmt: skip
    return AutoModelForSeq2SeqLM.from_config(config).eval()


def small_qwen2() -> Any:
    """Two heads of queries share one of keys."""
    import torch
    from transformers import AutoModelForCausalLM, Qwen2Config

    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        intermediate_size=64, max_position_embeddings=64, eos_token_id=END, bos_token_id=END, initializer_range=0.4,
    )  # fmt: skip
    return AutoModelForCausalLM.from_config(config).eval()
