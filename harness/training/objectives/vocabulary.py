"""What objectives know of a tokenizer."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.training.objectives import Tokens
from harness.training.tokenizers import CONTINUED

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

SENTINEL = re.compile(r"<extra_id_(\d+)>")
STOPS = (".", "?", "!", "。", "？", "！")
BYTE = re.compile(r"<0x[0-9A-F]{2}>")


def tokens_of(tokenizer: PreTrainedTokenizerFast) -> Tokens:
    """Raises HarnessError for a tokenizer without a padding token or an end between documents."""
    size = len(tokenizer)
    words = [str(word) for word in tokenizer.convert_ids_to_tokens(list(range(size)))]
    # Where a text opens with a token of its own, that one also tells documents apart: the separator is for segments.
    end = tokenizer.cls_token_id if tokenizer.cls_token_id is not None else tokenizer.eos_token_id
    if end is None or tokenizer.pad_token_id is None:
        raise HarnessError("the tokenizer has no padding token, or none to put between documents")
    special = np.zeros(size, dtype=bool)
    special[[*tokenizer.all_special_ids]] = True
    numbered = sorted((int(match[1]), index) for index, word in enumerate(words) if (match := SENTINEL.fullmatch(word)))
    return Tokens(
        size=size,
        pad=tokenizer.pad_token_id,
        end=end,
        start=tokenizer.cls_token_id,
        separator=tokenizer.sep_token_id,
        mask=tokenizer.mask_token_id,
        sentinels=tuple(index for _, index in numbered),
        special=special,
        bytes=np.where(special, 0, _bytes(words)),
        inside=np.asarray([word.startswith(CONTINUED) for word in words]),
        stops=np.isin(words, STOPS),
        vocabulary=hash_json(words),
    )


def _bytes(words: list[str]) -> list[int]:
    """UTF-8 bytes of text. The letters of a byte-level vocabulary stand for a byte each."""
    from tokenizers.pre_tokenizers import ByteLevel

    if set(ByteLevel.alphabet()).issubset(words):
        return [len(word) for word in words]
    return [1 if BYTE.fullmatch(word) else len(_written(word).encode()) for word in words]


def _written(word: str) -> str:
    return word.removeprefix(CONTINUED).replace("▁", " ")
