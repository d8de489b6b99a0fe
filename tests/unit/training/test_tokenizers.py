"""Trained tokenizers: the BERT layout, and the same vocabulary in every process."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness.core.errors import HarnessError
from harness.core.pretraining_specs import TokenizerSpec
from harness.core.strict_spec import parse
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


def test_words_that_the_corpus_does_not_have_are_whole_where_they_are_asked_for():
    without = tokenizers.train(TokenizerSpec(kind="unigram", vocab_size=420), TEXTS, 32)
    spec = TokenizerSpec(kind="unigram", vocab_size=420, words=["Sentence:", "not_entailment", "2.6", "dog"])
    tokenizer = tokenizers.train(spec, TEXTS, 32)
    text = "sentence: a dog walks not_entailment"
    assert tokenizer.tokenize(text)[0] == "▁sentence:" and tokenizer.tokenize(text)[-1] == "▁not_entailment"
    assert tokenizer.tokenize("2.6") == ["▁2.6"]
    assert len(tokenizer.tokenize(text)) < len(without.tokenize(text)) / 2
    assert len(tokenizer) <= max(420, len(without))
    assert tokenizer.decode(tokenizer(text)["input_ids"], skip_special_tokens=True) == text
    vocabulary = [piece for piece, _ in tokenizers._pieces(tokenizer.backend_tokenizer)]
    assert len(vocabulary) == len(set(vocabulary)), "each once, also what the corpus has"


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"kind": "wordpiece"}, "go with kind unigram"), ({"words": ["two words"]}, "is not one word")],
)
def test_words_that_cannot_be_whole_are_refused(changes, said):
    with pytest.raises(HarnessError, match=said):
        parse(TokenizerSpec, {"kind": "unigram", "words": ["positive"], **changes}, "a model spec")


@pytest.mark.parametrize(
    ("texts", "settings"),
    [
        ("list(synthetic.corpus(400))", "vocab_size=600"),
        ("list(synthetic.corpus(50)) + ['Aéü 我喜欢红色的石头房子。', 'xyz?!']", "kind='unigram', vocab_size=450, lowercase=False"),
        ("list(synthetic.corpus(50))", "kind='bytebpe', vocab_size=400"),
    ],
    ids=["wordpiece", "unigram, with letters that its vocabulary lacks", "bytebpe"],
)  # fmt: skip
def test_the_vocabulary_is_the_same_in_every_process(texts, settings):
    code = (
        "from harness.data import synthetic; from harness.core.specs import TokenizerSpec; from harness.training import tokenizers;"
        f"texts = {texts};"
        f"print(tokenizers.train(TokenizerSpec({settings}), texts, 64).backend_tokenizer.to_str())"
    )
    outputs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(3)
    ]
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0]) > 1000
