"""Tiny models with random weights, and lm_eval's own answers of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from tests.unit.libraries.lm_eval_rows import without_hub
from tests.unit.modeling.heads import given

pytest.importorskip("lm_eval", reason="lm_eval is not installed")
MODELS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "gpt2": ("AutoModelForCausalLM", "bytebpe", {"n_positions": 512}),
    "short-gpt2": ("AutoModelForCausalLM", "bytebpe", {"n_positions": 48}),
    "llama": ("AutoModelForCausalLM", "bytebpe", {"max_position_embeddings": 512}),
    "t5": ("AutoModelForSeq2SeqLM", "unigram", {"initializer_factor": 1.0}),
}


@cache
def _model(name: str) -> tuple[Any, Any]:
    auto_class, kind, settings = MODELS[name]
    tokenizer = given.tokenizer(kind)
    if name == "llama":
        tokenizer = _with_beginning(tokenizer)
    return given.model(auto_class, name.rpartition("-")[2], kind, **settings), tokenizer


def _with_beginning(tokenizer: Any) -> Any:
    """One that begins each text with a token, as Llama's does."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    token, number = tokenizer.eos_token, tokenizer.eos_token_id
    backend.post_processor = TemplateProcessing(single=f"{token} $A", special_tokens=[(token, number)])
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, bos_token=token, eos_token=token, pad_token=tokenizer.pad_token
    )


@pytest.fixture
def model() -> Any:
    """A model and its tokenizer, by name."""
    return _model


@pytest.fixture(autouse=True)
def _local_data(request: pytest.FixtureRequest) -> Iterator[None]:
    from harness.libraries import lm_eval_tasks

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    with without_hub():
        yield
    lm_eval_tasks._loaded.cache_clear()
