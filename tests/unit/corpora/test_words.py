"""Words as spaCy's English tokenizer takes them."""

from __future__ import annotations

import random

import pytest

from harness.corpora.text.words import Words, is_punctuation, words_by

TEXT = (
    'Dr. Smith didn\'t say "hello" (twice) to the well-known U.S. team... He paid $3.50, not 10%; '
    "they're at http://example.com/a?b=1 or me@example.com. It cannot be! @someone said so -- really."
)


def test_punctuation_contractions_abbreviations_and_addresses() -> None:
    words = Words().of(TEXT)
    for word in ("Dr.", "did", "n't", '"', "(", ")", "well", "-", "known", "U.S.", "...", "$", "3.50", "%", "'re",
                 "http://example.com/a?b=1", "me@example.com", "can", "not", "!", "@someone", "--"):  # fmt: skip
        assert word in words, word
    assert "".join(words) == "".join(TEXT.split())


def test_ideographs_are_words() -> None:
    assert Words().of("我爱 NLP。") == ["我", "爱", "NLP", "。"]


def test_a_sentence_begins_with_the_first_word_after_its_end() -> None:
    count = words_by("rules").sentences
    assert count("One. Two! Three?") == 3
    assert count('He left ! " and came back .') == 2
    assert count("") == 0
    assert count("No end") == 1
    assert count('"Is it?" he asked. Yes.') == 3


def test_pieces_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.corpora.text.words.CACHED_AT_MOST", 3)
    words = Words()
    assert words.of("a b c d e a") == ["a", "b", "c", "d", "e", "a"]
    assert len(words) <= 3


def test_the_words_are_those_of_spacy_but_for_a_few() -> None:
    pytest.importorskip("spacy", reason="spaCy is the oracle; pip install spacy")
    ours, theirs = Words(), Words("spacy")
    pieces = TEXT.split()
    assert [piece for piece in pieces if ours[piece] != theirs[piece]] == []


def test_long_pieces_are_not_remembered() -> None:
    words = Words()
    assert words.of("x" * 5000) == ["x" * 5000] and words.sentences("我" * 500 + "。") == 1
    assert not words


@pytest.mark.parametrize("seed", range(20))
def test_sentences_are_counted_as_word_by_word(seed: int) -> None:
    draw = random.Random(seed)
    text = " ".join(draw.choice(["a", "b.", "!", '"', "?!", "...", "(c)", ")", "。", "d,", "-"]) for _ in range(30))
    count, ended = 0, False
    for word in words_by("rules").of(text):
        if word in (".", "!", "?", "。"):
            count, ended = max(count, 1), True
        elif count == 0 or (ended and not is_punctuation(word)):
            count, ended = count + 1, False
    assert words_by("rules").sentences(text) == count
