"""A byte-level BPE tokenizer as GGUF has it. Imports gguf: import it inside functions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gguf

from harness.core.errors import HarnessError

CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
PATTERNS = {CONTRACTIONS + r"\p{N}{1,3}" + REST: "llama-bpe", CONTRACTIONS + r"\p{N}" + REST: "qwen2"}
"""What llama.cpp calls the ways in which texts are cut before BPE, by their expressions (Llama 3, Qwen2)."""


def add_tokenizer(writer: gguf.GGUFWriter, tokenizer: Any, size: int, folder: Path) -> None:
    """Write a tokenizer of `size` tokens, unused ones at its end included.

    Raises:
        HarnessError: another kind of tokenizer, or one that cuts texts in a way llama.cpp has no name for here.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    content = {} if backend is None else json.loads(backend.to_str())
    model = content.get("model") or {}
    if model.get("type") != "BPE" or model.get("byte_fallback"):
        raise HarnessError(f"model {folder}: GGUF is written with byte-level BPE tokenizers, which its is not")
    if (content.get("normalizer") or {}).get("type", "NFC") != "NFC":
        raise HarnessError(f"model {folder}: its tokenizer changes texts before it cuts them, which GGUF does not")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(_cutting(content.get("pre_tokenizer") or {}, folder))
    tokens, kinds = _tokens(tokenizer, content, size, folder)
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    writer.add_token_merges(merges)
    for name in ("bos", "eos", "unk", "pad"):
        number = getattr(tokenizer, f"{name}_token_id")
        if isinstance(number, int):
            getattr(writer, f"add_{name}_token_id")(number)
    begun = list(tokenizer("a")["input_ids"])[:1]
    writer.add_add_bos_token(begun == [tokenizer.bos_token_id])
    writer.add_add_eos_token(False)
    if isinstance(tokenizer.chat_template, str):
        writer.add_chat_template(tokenizer.chat_template)


def _cutting(content: Mapping[str, Any], folder: Path) -> str:
    """What llama.cpp calls the way in which texts are cut before BPE."""
    parts = content["pretokenizers"] if content.get("type") == "Sequence" else [content]
    last = parts[-1]
    if last.get("type") == "ByteLevel" and not last.get("add_prefix_space"):
        if len(parts) == 1 and last.get("use_regex", True):
            return "gpt-2"
        first = parts[0]
        expression = (first.get("pattern") or {}).get("Regex")
        if (
            len(parts) == 2
            and first.get("type") == "Split"
            and expression in PATTERNS
            and not last.get("use_regex", True)
        ):
            return PATTERNS[expression]
        is_digits = first.get("type") == "Digits" and first.get("individual_digits")
        if len(parts) == 2 and is_digits and last.get("use_regex", True):
            return "smollm"
    raise HarnessError(
        f"model {folder}: its tokenizer cuts texts in a way that is written under no name; those of GPT-2, Llama 3, "
        "Qwen2 and SmolLM are"
    )


def _tokens(tokenizer: Any, content: Mapping[str, Any], size: int, folder: Path) -> tuple[list[str], list[int]]:
    """Texts and kinds by number."""
    known = {number: token for token, number in tokenizer.get_vocab().items()}
    if max(known) >= size:
        raise HarnessError(f"model {folder}: its tokenizer knows {max(known) + 1} tokens, the model {size}")
    added = {entry["id"]: bool(entry["special"]) for entry in content.get("added_tokens", ())}
    kinds = [
        gguf.TokenType.UNUSED if number not in known
        else gguf.TokenType.NORMAL if number not in added
        else gguf.TokenType.CONTROL if added[number]
        else gguf.TokenType.USER_DEFINED
        for number in range(size)
    ]  # fmt: skip
    return [known.get(number, f"[PAD{number}]") for number in range(size)], [int(kind) for kind in kinds]
