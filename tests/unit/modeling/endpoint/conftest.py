"""A small GPT-2 with a tokenizer as servers have them: that adds nothing to a text, or a token before it."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.completions_server import CompletionsServer
from tests.unit.modeling.heads import given


@cache
def tokenizer(begins: bool) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.processors import ByteLevel, TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    made = given.tokenizer("bytebpe")
    backend = Tokenizer.from_str(made.backend_tokenizer.to_str())
    token, number = made.eos_token, made.eos_token_id
    backend.post_processor = (
        TemplateProcessing(single=f"{token} $A", special_tokens=[(token, number)])
        if begins
        else ByteLevel(trim_offsets=False)
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=token, eos_token=token, pad_token=token)


@cache
def gpt() -> Any:
    return given.model("AutoModelForCausalLM", "gpt2", "bytebpe")


@pytest.fixture(params=[False, True], ids=["plain", "begins"])
def server(request: pytest.FixtureRequest) -> CompletionsServer:
    """One whose tokenizer adds nothing, and one whose tokenizer puts a token before each text."""
    return CompletionsServer(gpt(), tokenizer(request.param), begins=request.param)


@pytest.fixture
def plain_server() -> CompletionsServer:
    return CompletionsServer(gpt(), tokenizer(False))
