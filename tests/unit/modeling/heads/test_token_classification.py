"""A tag for each word: which token carries it, windows of long texts, names of outputs, and Hugging Face's way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.modeling.heads.token_classification import HEAD, cut
from harness.modeling.inference.batching import IGNORED
from harness.training.learners.classes import tag_order
from tests.unit.modeling.heads import given

LABELS = ("O", "B-LOC", "I-LOC")
TEXTS = ("the old stone house is near the river .", "bird", "walkstreeblue ! over", "a \u200b tree")


def made_up(**settings) -> TaskSpec:
    values = {
        "name": "made-up", "family": "token-classification", "fields": {"tokens": "tokens", "tags": "tags"},
        "metrics": ["seqeval_f1"],
    }  # fmt: skip
    return TaskSpec.model_validate(values | settings)


def model(kind="wordpiece", model_type="bert", **settings):
    return given.model("AutoModelForTokenClassification", model_type, kind, num_labels=3, **settings)


@pytest.mark.parametrize("kind", ["wordpiece", "bytebpe", "unigram"])
def test_the_first_token_of_each_word_carries_its_tag(kind):
    reader = given.reader(made_up(), kind, labels=LABELS)
    tags = [(" ".join(["B-LOC"] * len(text.split(" "))),) for text in TEXTS]
    encoded = HEAD.encode(reader, given.split({"tokens": TEXTS}, tags))
    tokenizer = reader.tokenizer
    for index, text in enumerate(TEXTS[:3]):
        carried = [place for place, label in enumerate(encoded.columns["labels"][index]) if label != IGNORED]
        assert len(carried) == len(text.split(" "))
        rows = encoded.columns["input_ids"][index]
        ends = [*carried[1:], len(rows)]
        for word, start, end in zip(text.split(" "), carried, ends, strict=True):
            piece = tokenizer.decode(rows[start:end], skip_special_tokens=True).replace(" ", "")
            assert piece == word


def test_the_tags_are_on_the_tokens_that_hugging_face_aligns_by_words():
    reader = given.reader(made_up(), "wordpiece", labels=LABELS)
    places = cut(reader, TEXTS).places
    for window, (text, of_text) in enumerate(zip(TEXTS, places, strict=True)):
        words = reader.tokenizer(text.split(" "), is_split_into_words=True).word_ids()
        firsts = {word: token for token, word in reversed(list(enumerate(words))) if word is not None}
        assert of_text == [(window, firsts[word]) if word in firsts else None for word in range(len(of_text))]


@pytest.mark.parametrize(("kind", "model_type"), [("wordpiece", "bert"), ("bytebpe", "gpt2")])
def test_predictions_are_those_of_the_model_on_each_text_alone(kind, model_type):
    reader = given.reader(made_up(), kind, labels=LABELS)
    tagger = model(kind, model_type)
    predicted = HEAD.predict(tagger, reader, given.split({"tokens": TEXTS}))
    for text, value in zip(TEXTS, predicted.values, strict=True):
        windows = cut(reader, (text,))
        with torch.no_grad():
            logits = tagger(input_ids=torch.tensor([windows.columns["input_ids"][0]])).logits[0]
        tags = ["O" if place is None else LABELS[int(logits[place[1]].argmax())] for place in windows.places[0]]
        assert value == " ".join(tags)
    assert len(set(" ".join(predicted.values).split())) > 1


def test_a_long_text_is_read_in_windows_and_every_word_is_tagged_once():
    text = " ".join(["the", "old", "stone", "house", "walks"] * 30)
    reader = given.reader(made_up(), "wordpiece", max_length=16, labels=LABELS)
    windows = cut(reader, (text,))
    assert len(windows.columns["input_ids"]) > 5
    assert max(map(len, windows.columns["input_ids"])) <= 16
    places = windows.places[0]
    assert None not in places
    assert len(set(places)) == 150
    for window, token in places:  # not at an edge, but where the text itself ends
        inner = len(windows.columns["input_ids"][window]) - 1
        assert 3 <= token <= inner - 3 or window in (0, len(windows.columns["input_ids"]) - 1)
    tags = (" ".join(LABELS[index % 3] for index in range(150)),)
    encoded = HEAD.encode(reader, given.split({"tokens": [text]}, [tags]))
    assert sum(label != IGNORED for row in encoded.columns["labels"] for label in row) == 150
    predicted = HEAD.predict(model(), reader, given.split({"tokens": [text]}))
    assert len(predicted.values[0].split()) == 150
    assert predicted.settings["windows"] == len(windows.columns["input_ids"])


def test_a_word_without_tokens_is_outside_and_counted():
    reader = given.reader(made_up(), "wordpiece", labels=LABELS)
    always = model()
    with torch.no_grad():
        always.classifier.weight.zero_()
        always.classifier.bias.copy_(torch.tensor([0.0, 9.0, 0.0]))
    predicted = HEAD.predict(always, reader, given.split({"tokens": ["a \u200b tree"]}))
    assert predicted.values[0] == "B-LOC O B-LOC"
    assert predicted.settings["words_without_tokens"] == 1


def test_the_loss_is_that_of_transformers_over_all_tagged_words():
    reader = given.reader(made_up(), "wordpiece", labels=LABELS)
    split = given.split({"tokens": TEXTS[:2]}, [("O O B-LOC I-LOC O O O B-LOC O",), ("B-LOC",)])
    encoded = HEAD.encode(reader, split)
    batch = given.batch_of(encoded, reader.tokenizer)
    tagger = model()
    with torch.no_grad():
        loss = HEAD.loss(tagger, dict(batch), reader)
        mean = tagger(**batch).loss
    assert float(loss) == pytest.approx(float(mean) * 10, rel=1e-5)
    assert HEAD.targets(encoded) == 5


def test_confidence_is_the_probability_of_the_tag():
    reader = given.reader(made_up(), "wordpiece", labels=LABELS)
    predicted = HEAD.predict(model(), reader, given.split({"tokens": TEXTS}))
    for value, confidence in zip(predicted.values, predicted.columns["confidence"], strict=True):
        assert len(value.split()) == len(confidence)
        assert np.all((np.asarray(confidence) > 1 / 3) & (np.asarray(confidence) <= 1))


def test_outputs_of_a_finished_model_are_the_tags_they_are_named():
    task = made_up(labels=["O", "B-LOC", "I-LOC"])
    names = {"0": "I-LOC", "1": "O"}  # IOB1 without an adjacent entity
    assert tag_order(names, task, LABELS, "m") == ("I-LOC", "O")
    assert tag_order({"0": "O", "1": "B-GPE"}, task, LABELS, "m", {"B-GPE": "B-LOC"}) == ("O", "B-LOC")
    with pytest.raises(HarnessError, match="say what B-GPE is, such as --label-map B-GPE=O"):
        tag_order({"0": "O", "1": "B-GPE"}, task, LABELS, "m")
    reader = given.reader(made_up(), "wordpiece", labels=LABELS)
    split, tagger = given.split({"tokens": TEXTS}), model()
    plain = HEAD.predict(tagger, reader, split).values
    turned = HEAD.predict(tagger, replace(reader, outputs=("I-LOC", "O", "B-LOC")), split).values
    renamed = dict(zip(LABELS, ("I-LOC", "O", "B-LOC"), strict=True))
    for before, after, text in zip(plain, turned, TEXTS, strict=True):
        known = [place is not None for place in cut(reader, (text,)).places[0]]
        expected = [renamed[tag] if is_known else "O" for tag, is_known in zip(before.split(), known, strict=True)]
        assert after.split() == expected


def test_too_few_tokens_are_refused():
    with pytest.raises(HarnessError, match="has no room for a word"):
        cut(given.reader(made_up(), "wordpiece", max_length=2, labels=LABELS), TEXTS)
