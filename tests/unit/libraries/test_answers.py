"""How requests are answered: each once, drawn ones each time, and what cannot be."""

from __future__ import annotations

import pytest

from harness.core.decoding_spec import DecodingSpec
from harness.core.errors import HarnessError
from harness.core.requests import Generation, Likelihood, TextLikelihood
from harness.modeling.inference import requests as answering
from harness.modeling.inference.generate import generate
from harness.modeling.inference.likelihood import of_pairs
from harness.modeling.inference.requests import answer

PROMPT = "the old house is near"


def test_requests_are_answered_in_their_order_and_repeated_ones_once(model, monkeypatch):
    asked = []
    scored = answering.of_pairs
    monkeypatch.setattr(answering, "of_pairs", lambda of, rows, *more: asked.extend(rows) or scored(of, rows, *more))
    requests = [Likelihood(PROMPT, " a river"), TextLikelihood("a bird"), Likelihood(PROMPT, " a river")]
    first, text, again = answer(*model("gpt2"), requests).responses
    assert first == again and text < 0
    assert len(asked) == 2


def test_continuations_of_one_context_score_as_each_does_alone(model):
    requests = [Likelihood(PROMPT * 9, end) for end in (" red", " blue stone", " green tree over", "")[:3]]
    together = answer(*model("gpt2"), requests).responses
    alone = [answer(*model("gpt2"), [request]).responses[0] for request in requests]
    for mine, other in zip(together, alone, strict=True):
        assert mine.nats == pytest.approx(other.nats, rel=1e-6) and mine.is_greedy == other.is_greedy


def test_what_greedy_decoding_writes_is_greedy(model):
    gpt, tokenizer = model("gpt2")
    prompt = tokenizer.encode(PROMPT)
    (written,) = generate(gpt, tokenizer, [prompt], DecodingSpec(max_new_tokens=3))
    other = [*written[:-1], (written[-1] + 1) % len(tokenizer)]
    assert of_pairs(gpt, [(prompt, written), (prompt, other)])[1].tolist() == [True, False]


def test_a_text_ends_before_the_first_of_its_ends(model):
    gpt, tokenizer = model("gpt2")
    (whole,) = answer(gpt, tokenizer, [Generation(PROMPT, max_new_tokens=30)]).responses
    ends = [whole[12], whole[20:22]]
    (cut,) = answer(gpt, tokenizer, [Generation(PROMPT, tuple(ends), max_new_tokens=30)]).responses
    assert cut == whole[: min(whole.index(end) for end in ends)]


def test_drawn_texts_are_drawn_for_each_request_and_depend_on_the_seed_alone(model):
    requests = [Generation(PROMPT, max_new_tokens=12, do_sample=True, temperature=1.5)] * 3
    texts = answer(*model("gpt2"), requests, seed=1).responses
    assert len(set(texts)) > 1
    assert answer(*model("gpt2"), requests, seed=1).responses == texts
    assert answer(*model("gpt2"), requests, seed=2).responses != texts


def test_a_beam_search_is_that_of_lm_eval(model):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    gpt, tokenizer = model("gpt2")
    settings = {"until": ["\n"], "max_gen_toks": 12, "num_beams": 3}
    lm = HFLM(pretrained=gpt, tokenizer=tokenizer, batch_size=1)
    expected = lm.generate_until([Instance("generate_until", {}, (PROMPT, settings), 0)], disable_tqdm=True)
    assert answer(gpt, tokenizer, [Generation(PROMPT, ("\n",), 12, num_beams=3)]).responses == expected


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Likelihood(PROMPT, ""), "a continuation without tokens"),
        (Likelihood("a", " b" * 200), "a continuation of .* tokens, the model reads 48"),
        (Generation(PROMPT, max_new_tokens=48), "48 tokens are to be written, and the model reads 48"),
    ],
)
def test_what_cannot_be_answered_is_said(model, request_, message):
    with pytest.raises(HarnessError, match=message):
        answer(*model("short-gpt2"), [request_])


def test_what_was_cut_is_counted(model):
    answers = answer(*model("short-gpt2"), [Likelihood(PROMPT * 20, " a"), Likelihood("a", " b")])
    assert (answers.cut, answers.max_length) == (1, 48)
