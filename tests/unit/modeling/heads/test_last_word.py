"""The last word of a text: its likelihood after all before it and whether greedy decoding writes it, by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from harness import metrics
from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.modeling.heads import HEADS, head_for
from tests.unit.modeling.heads import given

TEXTS = ["the old stone house is near the river", "a small bird sings", "who walks over the bridge-house?", "red tree"]
HEAD = HEADS.get("causal-lm")


def made_up() -> TaskSpec:
    values = {"name": "made-up", "family": "last-word", "fields": {"text": "text"}, "metrics": ["last_word_accuracy"]}
    return TaskSpec.model_validate(values).model_copy(update={"shots": 0})


def by_hand(model, tokenizer, text, limit=None):
    rest, _, word = text.rpartition(" ")
    before = tokenizer(rest, add_special_tokens=False)["input_ids"]
    whole = tokenizer(f"{rest} {word}", add_special_tokens=False)["input_ids"]
    first = tokenizer("a")["input_ids"][0]
    start = [first] if first == tokenizer.bos_token_id else []
    ids = start + whole
    if limit is not None:
        ids = ids[-(limit + 1) :]
    ending = len(whole) - len(before)
    with torch.no_grad():
        logs = model(torch.tensor([ids[:-1]])).logits[0].float().log_softmax(-1)[-ending:]
    targets = ids[-ending:]
    nats = sum(float(logs[place, token]) for place, token in enumerate(targets))
    return nats, [int(row.argmax()) for row in logs] == targets


def test_likelihood_and_greedy_decoding_of_the_word_are_those_of_the_model():
    reader = given.reader(made_up(), "bytebpe")
    model = given.model("AutoModelForCausalLM", "gpt2", "bytebpe")
    predicted = HEAD.predict(model, reader, given.split({"text": TEXTS}))
    for text, value in zip(TEXTS, predicted.values, strict=True):
        nats, greedy = by_hand(model, reader.tokenizer, text)
        row = json.loads(value)
        assert row["log_likelihood"] == pytest.approx(nats, abs=1e-4)
        assert row["greedy"] is greedy
    mean = np.mean([json.loads(value)["log_likelihood"] for value in predicted.values])
    assert metrics.get("last_word_perplexity").score(predicted.values, None) == pytest.approx(math.exp(-mean))


def test_a_word_of_which_each_token_is_the_likeliest_is_right(monkeypatch):
    reader = given.reader(made_up(), "bytebpe")
    model = given.model("AutoModelForCausalLM", "gpt2", "bytebpe")
    forward = model.forward
    unsure: list[int] = []

    def knowing(input_ids, **more):
        """Sure of the token that comes next in the row, but at the places from the end that are `unsure`."""
        output = forward(input_ids=input_ids, **more)
        whole = reader.tokenizer(TEXTS[2], add_special_tokens=False)["input_ids"]
        whole = [*input_ids[0, : input_ids.shape[1] + 1 - len(whole)].tolist(), *whole]
        for place in range(input_ids.shape[1]):
            output.logits[0, place, whole[place + 1]] += 0.0 if input_ids.shape[1] - place in unsure else 1e4
        return output

    monkeypatch.setattr(model, "forward", knowing)
    monkeypatch.setattr(model, "get_output_embeddings", lambda: None)  # so that all logits are made, and changed here
    split = given.split({"text": [TEXTS[2]]})
    (right,) = HEAD.predict(model, reader, split).values
    assert json.loads(right) == {"log_likelihood": 0.0, "greedy": True}
    unsure.append(2)
    (wrong,) = HEAD.predict(model, reader, split).values
    assert json.loads(wrong)["greedy"] is False
    assert metrics.get("last_word_accuracy").score([right, wrong], None) == 0.5


def test_a_text_that_is_too_long_loses_its_beginning_and_is_counted():
    reader = given.reader(made_up(), "bytebpe", max_length=8)
    model = given.model("AutoModelForCausalLM", "gpt2", "bytebpe")
    text = " ".join(["the old stone house"] * 6)
    predicted = HEAD.predict(model, reader, given.split({"text": [text]}))
    assert predicted.read.truncated == 1
    nats, _ = by_hand(model, reader.tokenizer, text, limit=8)
    assert json.loads(predicted.values[0])["log_likelihood"] == pytest.approx(nats, abs=1e-4)


@pytest.mark.parametrize("text", ["word", " word", "two words ", ""])
def test_a_text_without_a_last_word_is_refused(text):
    reader = given.reader(made_up(), "bytebpe")
    model = given.model("AutoModelForCausalLM", "gpt2", "bytebpe")
    with pytest.raises(HarnessError, match="has no last word"):
        HEAD.predict(model, reader, given.split({"text": [text]}))


def test_who_can_and_what_no_prediction_is():
    assert head_for(made_up(), "decoder") == "causal-lm"
    assert head_for(made_up(), "encoder") is None
    assert head_for(made_up(), "encoder-decoder") is None
    for wrong in ("no JSON", "[]", '{"log_likelihood": 1, "greedy": true}', '{"log_likelihood": -1}'):
        with pytest.raises(HarnessError, match="that of a last word is"):
            metrics.get("last_word_accuracy").score([wrong], None)
