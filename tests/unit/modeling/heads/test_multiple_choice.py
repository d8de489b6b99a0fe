"""One score a pair, softmax over the answers of a question: as transformers' own class, and by likelihood."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.specs import TaskSpec
from harness.modeling.heads import HEADS, head_for
from tests.unit.modeling.heads import given

QUESTIONS = ["who walks over the river ?", "what is red ?", "is the tree old ?"]
CHOICES = ["the old bird\na small stone\nthe house", "a tree\nthe river", "blue\nnear\nunder\nsings"]
LABELS = [2, 0, 3]
LETTERS = ("A", "B", "C", "D")


def made_up(shots=None) -> TaskSpec:
    fields = {name: name for name in ("question", "choices", "label")}
    values = {"name": "made-up", "family": "multiple-choice", "fields": fields, "metrics": ["accuracy"]}
    return TaskSpec.model_validate(values).model_copy(update={"shots": shots})


SPLIT = given.split({"question": QUESTIONS, "choices": CHOICES}, LABELS)
HEAD = HEADS.get("multiple-choice")


def both():
    """A model of ours and the same weights in transformers' class for it."""
    ours = given.model("AutoModelForSequenceClassification", "bert", "wordpiece", num_labels=1)
    theirs = given.model("AutoModelForMultipleChoice", "bert", "wordpiece")
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def logits_of(theirs, reader, question, answers):
    inputs = reader.tokenizer([question] * len(answers), answers, padding=True, return_tensors="pt")
    with torch.no_grad():
        return theirs(**{name: tensor[None] for name, tensor in inputs.items()}).logits[0]


def test_scores_are_those_of_transformers_own_class():
    reader = given.reader(made_up(), "wordpiece", labels=LETTERS)
    ours, theirs = both()
    predicted = HEAD.predict(ours, reader, SPLIT)
    for index, (question, answers) in enumerate(zip(QUESTIONS, CHOICES, strict=True)):
        expected = logits_of(theirs, reader, question, answers.split("\n"))
        row = predicted.columns["logits"][index]
        assert row[: len(expected)] == pytest.approx(expected.numpy(), abs=1e-5)
        assert (row[len(expected) :] < -1e3).all()
        assert predicted.values[index] == int(expected.argmax())


def test_the_loss_is_that_of_transformers_own_class():
    reader = given.reader(made_up(), "wordpiece", labels=LETTERS)
    ours, theirs = both()
    encoded = HEAD.encode(reader, SPLIT)
    with torch.no_grad():
        loss = HEAD.loss(ours, given.batch_of(encoded, reader.tokenizer), reader)
    by_hand = 0.0
    for question, answers, label in zip(QUESTIONS, CHOICES, LABELS, strict=True):
        scores = logits_of(theirs, reader, question, answers.split("\n"))
        by_hand += float(torch.nn.functional.cross_entropy(scores[None], torch.tensor([label])))
    assert float(loss) == pytest.approx(by_hand, rel=1e-4)
    assert HEAD.targets(encoded) == 1


def test_what_is_too_long_is_cut_and_counted():
    reader = given.reader(made_up(), "wordpiece", max_length=12, labels=LETTERS)
    long = given.split({"question": [QUESTIONS[0] * 5, "red ?"], "choices": ["a tree\nthe river"] * 2}, [0, 1])
    assert HEAD.encode(reader, long).truncated == 1
    assert HEAD.predict(both()[0], reader, long).read.truncated == 1


def test_a_decoder_that_is_not_trained_takes_the_likeliest_answer():
    assert head_for(made_up(0), "decoder") == "causal-lm"
    assert head_for(made_up(0), "encoder") is None
    assert head_for(made_up(), "encoder-decoder") is None
    reader = given.reader(made_up(0), "bytebpe", labels=LETTERS)
    model = given.model("AutoModelForCausalLM", "gpt2", "bytebpe")
    predicted = HEADS.get("causal-lm").predict(model, reader, SPLIT)
    tokenizer = reader.tokenizer
    for index, (question, answers) in enumerate(zip(QUESTIONS, CHOICES, strict=True)):
        scores = []
        for answer in answers.split("\n"):
            before = tokenizer(question, add_special_tokens=False)["input_ids"]
            whole = tokenizer(f"{question} {answer}", add_special_tokens=False)["input_ids"]
            start = [tokenizer.bos_token_id] if tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id else []
            row = torch.tensor([start + whole])
            with torch.no_grad():
                logs = model(row).logits[0].log_softmax(-1)
            places = range(len(start) + len(before), len(start) + len(whole))
            scores.append(sum(float(logs[place - 1, row[0, place]]) for place in places))
        assert predicted.columns["logits"][index][: len(scores)] == pytest.approx(scores, abs=1e-3)
        assert predicted.values[index] == int(np.argmax(scores))
