"""Languages of many texts at once, as py3langid itself tells them one by one."""

from __future__ import annotations

import pytest

from harness.corpora.text.languages import MOST, known_languages, languages_of
from harness.data import synthetic

TEXTS = [
    "The harbour of the old town lies to the north.", "Der Hafen der alten Stadt liegt im Norden.",
    "Le port de la vieille ville se trouve au nord.", "我爱自然语言处理。", "ПРИВЕТ МИР", "", "   ", "a", "12345 67",
    "ABC DEF GHI", "naïve café", "e\u0301te\u0301", "half \udc80 a pair", "好" * 900, "word " * 3000, "\xff\xfe\x00",
]  # fmt: skip


def test_languages_are_those_of_py3langid() -> None:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    oracle = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    texts = TEXTS + list(synthetic.corpus(300)) + [text[at:] for text in TEXTS for at in range(1, 40)]
    expected = [oracle.classify(text[:MOST]) for text in texts]
    found = languages_of(texts)
    assert [language for language, _ in found] == [language for language, _ in expected]
    assert [value for _, value in found] == pytest.approx([value for _, value in expected], abs=1e-4)
    assert known_languages() == frozenset(oracle.labels)


def test_what_stands_beside_a_text_does_not_change_its_language() -> None:
    assert [languages_of([text])[0] for text in TEXTS] == languages_of(TEXTS)
    assert languages_of([]) == []
