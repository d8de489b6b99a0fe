"""Trained tokenizers: the BERT layout, and the same vocabulary in every process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.specs import TokenizerSpec
from harness.training import tokenizers

TEXTS = [
    "The farmer's dog barked.",
    "A dog walks, barking loudly; the dogs walked.",
    "我是一个程序员。",
    "Über naïve cafés",
]


@pytest.fixture(scope="module")
def tokenizer():
    return tokenizers.train(TokenizerSpec(vocab_size=200), TEXTS, max_length=32)


def test_a_pair_is_laid_out_as_bert_reads_it(tokenizer):
    encoded = tokenizer("the dog", "walked")
    pieces = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    first_end = pieces.index("[SEP]")
    assert (pieces[0], pieces[-1]) == ("[CLS]", "[SEP]")
    assert encoded["token_type_ids"] == [0] * (first_end + 1) + [1] * (len(pieces) - first_end - 1)


def test_every_training_text_is_covered_and_comes_back(tokenizer):
    for text in TEXTS:
        pieces = tokenizer.tokenize(text)
        assert "[UNK]" not in pieces
    assert tokenizer.decode(tokenizer("a dog walks")["input_ids"], skip_special_tokens=True) == "a dog walks"


def test_pieces_of_words_are_not_special(tokenizer):
    assert len(tokenizer.all_special_tokens) == 5
    assert set(tokenizer.get_added_vocab()) == set(tokenizers.SPECIAL)


def test_the_size_is_an_upper_bound_unless_there_are_more_letters():
    assert len(tokenizers.train(TokenizerSpec(vocab_size=70), TEXTS[:2], 32)) <= 70
    letters = ["".join(chr(code) for code in range(0x3B1, 0x3C9)) + "".join(chr(code) for code in range(0x430, 0x450))]
    assert "[UNK]" not in tokenizers.train(TokenizerSpec(vocab_size=64), letters, 32).tokenize(letters[0])
    unigram = tokenizers.train(TokenizerSpec(kind="unigram", vocab_size=64), letters, 32)
    assert not any(piece.startswith("<0x") for piece in unigram.tokenize(letters[0]))


def test_the_vocabulary_is_the_same_in_every_process():
    code = (
        "from harness.data import embedded; from harness.specs import TokenizerSpec; from harness.training import tokenizers;"
        "texts = list(embedded.corpus(400));"
        "print(tokenizers.train(TokenizerSpec(vocab_size=600), texts, 64).backend_tokenizer.to_str())"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0]) > 1000
