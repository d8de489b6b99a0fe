"""An encoder–decoder's head: the loss of `transformers`, ranked words, numbers written and read back."""

from __future__ import annotations

import numpy as np
import pytest

from harness.modeling.heads.seq2seq_lm import HEAD
from harness.modeling.inference.batching import IGNORED
from tests.unit.modeling.heads.given import batch_of, model, reader, split, task, tokenizer

KINDS = {"t5": "unigram", "bart": "bytebpe"}
SUMMARIES = split(
    {"text": ["a red tree", "the old stone house is near the river. " * 9, "birds"]},
    (("a tree",), ("house near river",), ("the bird sings over the river and the house",)),
)


@pytest.mark.parametrize("model_type", KINDS)
@pytest.mark.parametrize("rows", [[0], [0, 1, 2]])
def test_the_loss_is_that_of_transformers_summed_over_targets(model_type, rows):
    import torch

    kind = KINDS[model_type]
    plain = model("AutoModelForSeq2SeqLM", model_type, kind)
    settings = reader(task("summarization"), kind)
    encoded = HEAD.encode(settings, SUMMARIES)
    batch = batch_of(encoded, tokenizer(kind), rows)
    count = int((batch["labels"] != IGNORED).sum())
    with torch.no_grad():
        expected = float(plain(**batch).loss) * count
        found = float(HEAD.loss(plain, dict(batch), settings))
    assert found == pytest.approx(expected, rel=1e-4)
    assert HEAD.targets(encoded) * 3 == sum(len(labels) for labels in encoded.columns["labels"])


@pytest.mark.parametrize("model_type", KINDS)
def test_the_gradient_is_that_of_transformers(model_type):
    import torch

    kind = KINDS[model_type]
    plain = model("AutoModelForSeq2SeqLM", model_type, kind)
    settings = reader(task("summarization"), kind)
    batch = batch_of(HEAD.encode(settings, SUMMARIES), tokenizer(kind))
    count = int((batch["labels"] != IGNORED).sum())
    gradients = []
    for loss in (lambda: HEAD.loss(plain, dict(batch), settings), lambda: plain(**batch).loss * count):
        plain.zero_grad()
        loss().backward()
        gradients.append(
            torch.cat([parameter.grad.flatten() for parameter in plain.parameters() if parameter.grad is not None])
        )
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["unigram", "bytebpe"])
def test_sources_and_targets_end_and_fit(kind):
    tokens = tokenizer(kind)
    settings = reader(task("summarization", decoding={"max_new_tokens": 5}), kind)
    encoded = HEAD.encode(settings, SUMMARIES)
    assert encoded.truncated == 1
    for source, labels in zip(encoded.columns["input_ids"], encoded.columns["labels"], strict=True):
        assert source[-1] == labels[-1] == tokens.eos_token_id
        assert source.count(tokens.eos_token_id) == labels.count(tokens.eos_token_id) == 1
        assert len(source) <= settings.max_length and len(labels) <= 6
        assert tokens.decode(source).startswith("summarize: ")


def summed_likelihood(plain, source: list[int], written: list[int]) -> float:
    import torch

    before = [plain.config.decoder_start_token_id, *written[:-1]]
    with torch.no_grad():
        scores = (
            plain(input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([before])).logits[0].log_softmax(-1)
        )
    return sum(float(scores[place, token]) for place, token in enumerate(written))


@pytest.mark.parametrize("model_type", KINDS)
@pytest.mark.parametrize("shots", [None, 0])
def test_the_word_with_the_highest_summed_likelihood_wins(model_type, shots):
    kind, labels = KINDS[model_type], ("positive", "negative river", "a")
    tokens, plain = tokenizer(kind), model("AutoModelForSeq2SeqLM", model_type, kind)
    texts = split({"text": ["a red tree", "the old stone house", ""]}, (0, 1, 2))
    of = task("classification", prompt="Text: {text}", labels=list(labels), shots=shots)
    predicted = HEAD.predict(plain, reader(of, kind, labels=labels), texts)
    end = [tokens.eos_token_id]
    expected = np.zeros((3, 3))
    for row, text in enumerate(texts.fields["text"]):
        source = tokens(f"Text: {text}", add_special_tokens=False)["input_ids"] + end
        for column, label in enumerate(labels):
            trained = tokens(label, add_special_tokens=False)["input_ids"] + end
            shown = tokens(f" {label}", add_special_tokens=False)["input_ids"]
            expected[row, column] = summed_likelihood(plain, source, trained if shots is None else shown)
    np.testing.assert_allclose(predicted.columns["logits"], expected, atol=1e-3)
    assert predicted.values.tolist() == expected.argmax(1).tolist()


def test_the_trained_answer_to_a_class_is_what_is_ranked():
    labels = ("positive", "negative")
    settings = reader(task("classification", prompt="Text: {text}", labels=list(labels)), "unigram", labels=labels)
    encoded = HEAD.encode(settings, split({"text": ["a", "b"]}, (1, 0)))
    assert [tokenizer("unigram").decode(ids) for ids in encoded.columns["labels"]] == ["negative</s>", "positive</s>"]


def test_a_number_is_learned_as_its_digits_and_read_back():
    settings = reader(task("similarity", prompt="{text} / {text_pair}", label_range=(0, 5)), "unigram")
    pairs = split({"text": ["a", "b"], "text_pair": ["c", "d"]}, (3.7, 0.0))
    encoded = HEAD.encode(settings, pairs)
    assert [tokenizer("unigram").decode(ids, skip_special_tokens=True) for ids in encoded.columns["labels"]] == [
        "3.6",
        "0.0",
    ]
    plain = model("AutoModelForSeq2SeqLM", "t5", "unigram")
    predicted = HEAD.predict(plain, settings, pairs)
    assert predicted.values.dtype.kind == "f"
    assert np.isfinite(predicted.values).all()
    assert len(predicted.columns["text"]) == 2


def test_sources_with_examples_longer_than_the_model_reads_are_cut_and_counted():
    texts = split({"text": ["the old stone house is near the river. " * 40, "red"]}, (("a",), ("b",)))
    plain = model("AutoModelForSeq2SeqLM", "bart", "bytebpe")
    of = task("summarization", shots=2, decoding={"max_new_tokens": 8})
    predicted = HEAD.predict(plain, reader(of, "bytebpe", max_length=256, shots=texts), texts)
    assert predicted.settings["prompts_cut"] == 2


def test_a_free_generation_learns_the_rest_of_the_text():
    settings = reader(task("text-generation", decoding={"prompt_words": 2}), "unigram")
    encoded = HEAD.encode(settings, split({"text": ["the old stone house"]}))
    decode = tokenizer("unigram").decode
    assert decode(encoded.columns["input_ids"][0]) == "the old</s>"
    assert decode(encoded.columns["labels"][0]) == "stone house</s>"
