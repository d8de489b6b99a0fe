"""What models make of texts: words of a masked language model, translations there and back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from harness.core.augment_spec import AugmentSpec
from harness.core.errors import HarnessError
from harness.core.registry import load_registry
from harness.data.augment.base import make_operation
from harness.data.augment.draws import Draws
from harness.data.augment.expand import Augmenter, refused
from harness.data.augment.text import Text, joined
from harness.data.frame import Split
from harness.training.augment import back_translation, masked_words
from tests.unit.attacks.given import save_tokenizer

WORDS = {"movie": 9.0, "films": 8.5, "unfilm": 8.4, "not": 8.0, "the": 7.5, "seven": 7.4, "##s": 7.0, "dull": 6.0}
"""What the model says wherever a word is masked, by how much."""
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "film", "a", "was", "never", ".", *WORDS]


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A masked language model that says the same everywhere."""
    folder = tmp_path_factory.mktemp("masked")
    save_tokenizer(VOCABULARY, folder)
    model = BertForMaskedLM(
        BertConfig(
            vocab_size=len(VOCABULARY), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, max_position_embeddings=32,
        )
    )  # fmt: skip
    with torch.no_grad():
        model.cls.predictions.transform.LayerNorm.weight.zero_()
        model.cls.predictions.transform.LayerNorm.bias.zero_()
        for word, value in WORDS.items():
            model.cls.predictions.bias[VOCABULARY.index(word)] = value
    model.save_pretrained(folder)
    return folder


def changed(operation: Any, *texts: str, seed: int = 0) -> list[str]:
    prepared = [Text(text) for text in texts]
    results = operation.apply_all(prepared, [Draws(seed, at) for at in range(len(texts))])
    return [
        result if isinstance(result, str) else joined(text.text, result)
        for text, result in zip(prepared, results, strict=True)
    ]


def test_a_word_becomes_another_whole_word_that_is_no_form_of_it_and_says_nothing_else(masked: Path) -> None:
    operation = make_operation("masked-words", {"model": str(masked), "top": 50, "probability": 1e-9}, "test")
    texts = ["It was a film.", "Never a Film.", "FILM FILM", "the 7 was not"]
    made = changed(operation, *texts)
    assert made == changed(operation, *texts), "the same in each run"
    for seed in range(20):
        for old, new in zip(texts, changed(operation, *texts, seed=seed), strict=True):
            assert len(old.split()) == len(new.split())
            for before, after in zip(old.rstrip(".").split(), new.rstrip(".").split(), strict=True):
                assert after == before or after.lower() in ("movie", "dull"), (old, new)
                assert (after[0].isupper(), after.isupper()) == (before[0].isupper(), before.isupper())
    assert made[3] == texts[3], "numbers, negations and function words stay"
    assert changed(operation, "film", seed=1) == changed(operation, "film", "film film", seed=1)[:1]


def test_words_below_the_probability_and_texts_that_are_too_long_stay(masked: Path) -> None:
    sure = make_operation("masked-words", {"model": str(masked), "probability": 0.9}, "test")
    assert changed(sure, "film") == ["film"]
    operation = make_operation("masked-words", {"model": str(masked), "probability": 1e-9}, "test")
    long = " ".join(["film"] * 40)
    assert changed(operation, long, "film")[0] == long and changed(operation, long, "film")[1] != "film"
    assert changed(operation) == []


def test_another_model_and_no_model_are_refused_and_its_files_are_in_the_key(
    masked: Path, saved: Callable[..., Path], tmp_path: Path
) -> None:
    operation = make_operation("masked-words", {"model": str(masked)}, "test")
    (digest,) = operation.inputs().values()
    assert len(digest) == 64
    for name, options in (
        ("masked-words", {"model": str(tmp_path)}), ("back-translation", {"there": str(tmp_path), "back": str(masked)}),
    ):  # fmt: skip
        with pytest.raises(HarnessError, match="no folder of a model"):
            make_operation(name, options, "test").inputs()
    with pytest.raises(HarnessError, match=r"text-generation .*give a masked language model"):
        changed(make_operation("masked-words", {"model": str(saved("gpt2"))}, "test"), "film")
    with pytest.raises(HarnessError, match=r"fill-mask .*give a sequence-to-sequence model"):
        changed(make_operation("back-translation", {"there": str(masked), "back": str(masked)}, "test"), "film")
    with pytest.raises(HarnessError, match=r"\{text\} must stand in it once"):
        make_operation("back-translation", {"there": "a", "back": "b", "prompt_there": "translate"}, "test")


THERE = {"It was good.": "C'était bon.", "I paid 7 euros.": "J'ai payé 7 euros.", "I did not go.": "Je n'allai pas."}
BACK = {"C'était bon.": "It was fine.", "J'ai payé 7 euros.": "I paid seven euros.", "Je n'allai pas.": "I went."}


@pytest.fixture
def translators(saved: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    """Models whose translations are those of a table."""
    written: list[str] = []

    class Tokens:
        def __call__(self, texts: list[str], verbose: bool) -> dict[str, list[list[int]]]:
            written.extend(texts)
            return {"input_ids": [[len(written) - len(texts) + at] for at in range(len(texts))]}

        def decode(self, ids: list[int], skip_special_tokens: bool) -> str:
            text = written[ids[0]].removeprefix("to French: ")
            return THERE.get(text) or BACK[text]

    def generate(model: Any, tokenizer: Any, prompts: Any, decoding: Any, seed: int) -> Any:
        return prompts

    checkpoint = type("Checkpoint", (), {"tokenizer": Tokens(), "model": None})()
    monkeypatch.setattr(back_translation, "_opened", lambda path: checkpoint)
    monkeypatch.setattr(back_translation, "positions_of", lambda model, stack: None)
    monkeypatch.setattr(back_translation, "generate", generate)
    return make_operation("back-translation", {"there": "a", "back": "b", "prompt_there": "to French: {text}"}, "test")


def test_sentences_go_there_and_back_and_texts_that_lose_numbers_or_negations_stay(translators: Any) -> None:
    assert changed(translators, "It was good. It was good.") == ["It was fine. It was fine."]
    lost = ["I paid 7 euros.", "I did not go.", "It was good. I did not go."]
    assert changed(translators, *lost) == lost


def test_real_models_write_the_same_each_time_and_other_texts_where_words_are_drawn(saved: Callable[..., Path]) -> None:
    folder = str(saved("t5"))
    plain = make_operation("back-translation", {"there": folder, "back": folder}, "test")
    drawn = make_operation("back-translation", {"there": folder, "back": folder, "temperature": 3.0}, "test")
    texts = ["a small film about people", "we went home by train"]
    assert changed(plain, *texts) == changed(plain, *texts, seed=5)
    assert changed(drawn, *texts) == changed(drawn, *texts)


def test_no_label_is_safe_from_the_words_of_a_model_and_a_record_says_so(masked: Path) -> None:
    registry = load_registry()
    values = {"operations": [{"masked-words": {"model": str(masked)}}]}
    for name in ("sst2", "cola", "mnli", "stsb", "squad", "xsum"):
        reason = refused(AugmentSpec.model_validate(values), registry.task(name), "here")
        assert reason is not None and "masked-words can change what a text says" in reason and "unsafe: true" in reason
    unsafe = AugmentSpec.model_validate({**values, "unsafe": True})
    assert refused(unsafe, registry.task("sst2"), "here") is None
    split = Split(("a", "b"), {"text": ("a film", "was a film")}, (0, 1))
    facts = Augmenter(unsafe, registry.task("sst2"), 0).expanded(split).facts
    assert facts.augmented == 2 and "masked-words, which can change what a text says" in facts.notes[0]


def test_the_text_as_it_was_can_stand_beside_the_masked_one(masked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    scored = masked_words.scoring_batches
    monkeypatch.setattr(
        masked_words, "scoring_batches", lambda sizes, most: lengths.append(list(sizes)) or scored(sizes, most)
    )
    for beside in (False, True):
        operation = make_operation("masked-words", {"model": str(masked), "beside": beside}, "test")
        assert changed(operation, "was a film") == ["was a movie"]
    assert lengths == [[5], [9]], "[CLS] was a [MASK] [SEP], and behind [CLS] was a film [SEP]"
