"""Classification and regression: the logits of the plain model, whatever shares a batch."""

from __future__ import annotations

import numpy as np
import pytest

from harness.modeling.heads.sequence_classification import HEAD
from tests.unit.modeling.heads.given import batch_of, model, reader, split, task, tokenizer

PAIRS = split(
    {"text": ["a bird", "the old stone house is near the river " * 3, "red"], "text_pair": ["a tree", "red", "the"]},
    (1.0, 4.5, 2.0),
)
KINDS = {"bert": "wordpiece", "gpt2": "bytebpe", "t5": "unigram"}


@pytest.mark.parametrize("model_type", KINDS)
def test_logits_are_those_of_the_plain_model_on_a_padded_batch(model_type):
    import torch

    kind = KINDS[model_type]
    asked = reader(task("similarity"), kind, max_length=24)
    plain = model("AutoModelForSequenceClassification", model_type, kind, num_labels=1, problem_type="regression")
    tokens = tokenizer(kind)
    inputs = tokens(
        list(PAIRS.fields["text"]), list(PAIRS.fields["text_pair"]), truncation=True, max_length=24, padding=True,
        return_tensors="pt",
    )  # fmt: skip
    with torch.no_grad():
        expected = plain(**inputs).logits.numpy()
    predicted = HEAD.predict(plain, asked, PAIRS)
    np.testing.assert_allclose(predicted.columns["logits"], expected, atol=1e-4)
    np.testing.assert_allclose(predicted.values, expected[:, 0], atol=1e-4)
    assert np.ptp(expected) > 0.1

    encoded = HEAD.encode(asked, PAIRS)
    assert encoded.truncated == 1
    with torch.no_grad():
        loss = float(HEAD.loss(plain, batch_of(encoded, tokens), asked))
        mean = float(plain(**inputs, labels=torch.tensor(PAIRS.labels)).loss)
    assert loss == pytest.approx(3 * mean, rel=1e-4)


def test_the_loss_of_classes_sums_what_transformers_averages():
    import torch

    asked = reader(task("classification", labels=["a", "b", "c"]), "wordpiece", labels=("a", "b", "c"))
    config = HEAD.config(asked.family, asked.labels)
    assert (config["num_labels"], config["id2label"][2], config["label2id"]["b"]) == (3, "c", 1)
    plain = model("AutoModelForSequenceClassification", "bert", "wordpiece", **config)
    texts = split({"text": ["a bird", "the old stone house"]}, (2, 0))
    inputs = tokenizer("wordpiece")(list(texts.fields["text"]), padding=True, return_tensors="pt")
    with torch.no_grad():
        expected = 2 * float(plain(**inputs, labels=torch.tensor(texts.labels)).loss)
        found = float(HEAD.loss(plain, batch_of(HEAD.encode(asked, texts), tokenizer("wordpiece")), asked))
        logits = plain(**inputs).logits
    assert found == pytest.approx(expected, rel=1e-4)
    assert HEAD.predict(plain, asked, texts).values.tolist() == logits.argmax(-1).tolist()
