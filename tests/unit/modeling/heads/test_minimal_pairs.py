"""Minimal pairs: log-likelihoods of both sentences by hand and as minicons has them, ties, masked words, refusals."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.specs import TaskSpec
from harness.modeling.heads import HEADS, head_for
from harness.modeling.heads.masked_lm import encoded
from tests.unit.modeling.heads import given

GOOD = ["the old bird sings .", "a small house is near the river .", "red tree", "who walks over the bridge ?"]
BAD = ["the old bird sing .", "a small house near is the river .", "red tree", "who walks the bridge over ?"]


def made_up(**decoding) -> TaskSpec:
    values = {
        "name": "made-up", "family": "minimal-pairs", "fields": {"good": "good", "bad": "bad"},
        "metrics": ["pair_accuracy"], "decoding": decoding,
    }  # fmt: skip
    return TaskSpec.model_validate(values).model_copy(update={"shots": 0})


SPLIT = given.split({"good": GOOD, "bad": BAD})


def causal(kind="bytebpe", model_type="gpt2"):
    reader = given.reader(made_up(), kind)
    model = given.model("AutoModelForCausalLM", model_type, kind)
    return model, reader, HEADS.get("causal-lm").predict(model, reader, SPLIT)


def masked(**decoding):
    reader = given.reader(made_up(**decoding), "wordpiece")
    model = given.model("AutoModelForMaskedLM", "bert", "wordpiece")
    return model, reader, HEADS.get("masked-lm").predict(model, reader, SPLIT)


@pytest.mark.parametrize("model_type", ["gpt2", "llama"])
def test_a_causal_model_sums_all_tokens_after_the_start(model_type):
    model, reader, predicted = causal(model_type=model_type)
    start = reader.tokenizer.bos_token_id
    for name, texts in (("good", GOOD), ("bad", BAD)):
        for text, value in zip(texts, predicted.columns[name], strict=True):
            ids = reader.tokenizer(text, add_special_tokens=False)["input_ids"]
            with torch.no_grad():
                scores = model(torch.tensor([[start, *ids]])).logits[0].float().log_softmax(-1)
            by_hand = sum(float(scores[place, token]) for place, token in enumerate(ids))
            assert value == pytest.approx(by_hand, abs=1e-4)
    assert predicted.values == pytest.approx(np.subtract(predicted.columns["good"], predicted.columns["bad"]))
    assert predicted.values[2] == 0.0


def test_a_masked_model_sums_each_token_while_it_is_masked():
    model, reader, predicted = masked()
    tokenizer = reader.tokenizer
    for name, texts in (("good", GOOD), ("bad", BAD)):
        for text, value in zip(texts, predicted.columns[name], strict=True):
            ids = tokenizer(text)["input_ids"]
            by_hand = 0.0
            for place in range(1, len(ids) - 1):
                row = torch.tensor([[*ids[:place], tokenizer.mask_token_id, *ids[place + 1 :]]])
                with torch.no_grad():
                    by_hand += float(model(row).logits[0, place].float().log_softmax(-1)[ids[place]])
            assert value == pytest.approx(by_hand, abs=1e-4)
    assert predicted.values[2] == 0.0


def test_the_rest_of_a_word_is_masked_where_that_is_asked_for():
    reader = given.reader(made_up(), "wordpiece")
    (row,) = encoded(reader, ["birdhouses"], whole_words=True)
    pieces = len(row.ids) - 2
    assert pieces > 1
    assert row.masks == tuple(tuple(range(place, pieces + 1)) for place in range(1, pieces + 1))
    (alone,) = encoded(reader, ["birdhouses"], whole_words=False)
    assert alone.masks == tuple((place,) for place in range(1, pieces + 1))


def test_both_are_what_minicons_finds_sentence_by_sentence(monkeypatch):
    scorer = pytest.importorskip("minicons.scorer", reason="minicons is not installed")
    model, reader, predicted = causal()
    kind = type(reader.tokenizer)
    monkeypatch.setattr(kind, "batch_encode_plus", kind.__call__, raising=False)  # which minicons 0.3 calls
    theirs = scorer.IncrementalLMScorer(model, "cpu", tokenizer=reader.tokenizer)
    for name, texts in (("good", GOOD), ("bad", BAD)):
        ends = [reader.tokenizer(text)["input_ids"][-1] == reader.tokenizer.eos_token_id for text in texts]
        scores = theirs.compute_stats(theirs.prepare_text(texts, bos_token=True))
        sums = [sum(row[:-1] if end else row) for row, end in zip(scores, ends, strict=True)]
        assert predicted.columns[name] == pytest.approx([float(value) for value in sums], abs=1e-4)
    for method in ("original", "within-word-l2r"):
        model, reader, predicted = masked(pseudo_likelihood=method)
        kind = type(reader.tokenizer)
        monkeypatch.setattr(kind, "batch_encode_plus", kind.__call__, raising=False)
        theirs = scorer.MaskedLMScorer(model, "cpu", tokenizer=reader.tokenizer)
        for name, texts in (("good", GOOD), ("bad", BAD)):
            scores = theirs.sequence_score(
                texts, reduction=lambda values: values.sum(0).item(), PLL_metric=method.replace("-", "_")
            )
            assert predicted.columns[name] == pytest.approx(scores, abs=1e-4)


def test_a_text_that_stands_there_twice_is_scored_once():
    model, reader, _ = causal()
    rows = []
    forward = model.forward

    def counted(*args, **kwargs):
        rows.append(len(kwargs["input_ids"]))
        return forward(*args, **kwargs)

    model.forward = counted
    HEADS.get("causal-lm").predict(model, reader, given.split({"good": ["a tree"] * 9, "bad": ["tree a"] * 9}))
    assert sum(rows) == 2


def test_which_head_does_it_and_who_cannot():
    assert head_for(made_up(), "decoder") == "causal-lm"
    assert head_for(made_up(), "encoder") == "masked-lm"
    assert head_for(made_up(), "encoder-decoder") is None
    reader = given.reader(made_up(), "bytebpe")
    with pytest.raises(HarnessError, match="a mask token"):
        HEADS.get("masked-lm").predict(given.model("AutoModelForMaskedLM", "bert", "wordpiece"), reader, SPLIT)
