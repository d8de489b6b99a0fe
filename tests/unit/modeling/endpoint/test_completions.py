"""What a server says of a checkpoint is what we find for it ourselves."""

from __future__ import annotations

from typing import Any

import pytest

from harness.core.errors import HarnessError
from harness.core.requests import Generation, Likelihood, Request, TextLikelihood
from harness.modeling.endpoint.answering import Endpoint
from harness.modeling.inference.requests import answer
from tests.completions_server import CompletionsServer, serving
from tests.unit.modeling.endpoint.conftest import gpt, tokenizer
from tests.unit.modeling.heads import given

REQUESTS: list[Request] = [
    Likelihood("the old", " stone house"),
    Likelihood("the old ", " house is near"),
    Likelihood("Is the sentiment negative or positive?\nAnswer:", " positive"),
    Likelihood("Is the sentiment negative or positive?\nAnswer:", " negative"),
    Likelihood("", "the small bird sings"),
    Likelihood("河边有一棵树。", " 石头"),
]


def asked(server: CompletionsServer, requests: list[Request], **options: Any) -> list[Any]:
    with serving(server) as url:
        endpoint = Endpoint({"url": url, "model": server.name, **options}, "model tiny")
        return endpoint.answers(requests, endpoint.known())


@pytest.mark.parametrize("shortest", [0, 1])
def test_likelihoods_are_those_of_the_checkpoint(server, shortest):
    server.shortest = shortest
    ours = answer(gpt(), tokenizer(server.begins), REQUESTS).responses
    theirs = asked(server, REQUESTS)
    assert [likely.nats for likely in theirs] == pytest.approx([likely.nats for likely in ours], abs=1e-4)
    assert [likely.is_greedy for likely in theirs] == [likely.is_greedy for likely in ours]


def test_what_greedy_decoding_writes_is_known_as_such(plain_server):
    contexts = [f"the {word}" for word in given.WORDS.split()]
    texts = asked(plain_server, [Generation(context, max_new_tokens=1) for context in contexts])
    readable = [(context, text) for context, text in zip(contexts, texts, strict=True) if text.strip("� ")]
    assert readable
    context, text = readable[0]
    requests = [Likelihood(context, text), Likelihood(context, " near" if text != " near" else " bird")]
    assert [likely.is_greedy for likely in asked(plain_server, requests)] == [True, False]


def test_a_whole_text_begins_with_a_token_that_is_not_counted(server):
    texts = ["the small bird sings", "河边 the river"]
    import torch

    for text, nats in zip(texts, asked(server, [TextLikelihood(text) for text in texts]), strict=True):
        ids = [tokenizer(False).eos_token_id, *tokenizer(False)(text)["input_ids"]]
        logs = gpt()(torch.tensor([ids])).logits[0].detach().log_softmax(-1)
        ours = sum(float(logs[place, token]) for place, token in enumerate(ids[1:]))
        assert nats == pytest.approx(ours, abs=1e-4)


@pytest.mark.parametrize(
    ("context", "continuation", "begins_at"),
    [("the ol", "d stone house", 3), ("a small b", "ird", 7), ("我喜", "欢红色的石头", None)],
)
def test_a_token_over_the_edge_counts_as_a_whole(server, context, continuation, begins_at):
    import torch

    ids = server.ids(context + continuation)
    logs = gpt()(torch.tensor([ids])).logits[0].detach().log_softmax(-1)
    ends = [len(tokenizer(False).decode(ids[: place + 1], skip_special_tokens=True)) for place in range(len(ids))]
    if begins_at is None:  # where the tokens of the context alone are others than those of the whole text
        alone = server.ids(context)
        first = next(place for place, (one, other) in enumerate(zip(alone, ids, strict=False)) if one != other)
    else:
        first = next(place for place, end in enumerate(ends) if end > len(context))
        assert ends[first - 1] == begins_at if begins_at else True
        assert ends[first - 1] < len(context), "no token goes over the edge"
    ours = sum(float(logs[place - 1, ids[place]]) for place in range(first, len(ids)))
    assert asked(server, [Likelihood(context, continuation)])[0].nats == pytest.approx(ours, abs=1e-4)


def test_texts_are_those_of_greedy_decoding_up_to_the_first_end(server):
    contexts = ["the old stone", "a small bird sings"]
    requests = [Generation(context, ("�", " "), 8) for context in contexts]
    ours = answer(gpt(), tokenizer(server.begins), requests).responses
    assert asked(server, requests) == ours


def test_a_server_without_log_probabilities_is_told_apart(plain_server):
    plain_server.echoes = False
    with serving(plain_server) as url:
        endpoint = Endpoint({"url": url, "model": "tiny"}, "model tiny")
        known = endpoint.known()
        assert known.scores == "text" and "no log-probabilities" in known.reason
        assert endpoint.answers([Generation("the old", ("\n",), 3)], known)
        with pytest.raises(HarnessError, match="gives no log-probabilities"):
            endpoint.answers([Likelihood("a", " b")], known)


def test_log_probabilities_of_what_is_written_are_not_those_of_the_prompt(plain_server):
    whole = plain_server._logs
    plain_server._logs = lambda ids: whole(ids[3:])  # type: ignore[method-assign]
    with serving(plain_server) as url:
        assert Endpoint({"url": url, "model": "tiny"}, "model tiny").known().scores == "text"


def test_the_token_that_begins_a_text_is_found_or_given(plain_server):
    with serving(plain_server) as url:
        assert Endpoint({"url": url, "model": "tiny"}, "").known().start == "<|endoftext|>"
        assert Endpoint({"url": url, "model": "tiny", "start": "the"}, "").known().start == "the"


def test_without_a_token_to_begin_with_whole_texts_are_refused(plain_server, monkeypatch):
    monkeypatch.setattr("harness.modeling.endpoint.completions.STARTS", ("<none>",))
    with pytest.raises(HarnessError, match=r"options: \{start: TEXT\}"):
        asked(plain_server, [TextLikelihood("the bird")])


def test_names_that_a_server_lacks_come_with_the_nearest(plain_server):
    with serving(plain_server) as url, pytest.raises(HarnessError, match=r"no model \"tinny\"\. Did you mean 'tiny'"):
        Endpoint({"url": url, "model": "tinny"}, "").known()


def test_a_model_is_told_by_what_the_server_says_of_it_but_not_by_the_time(plain_server):
    def identity() -> str:
        with_url = Endpoint({"url": url, "model": "tiny"}, "")
        return with_url.known().identity

    with serving(plain_server) as url:
        first = identity()
        assert identity() == first
        plain_server.listed = {"root": "another-checkpoint"}
        assert identity() != first


def test_longer_prompts_than_the_model_reads_are_refused_in_a_line(plain_server):
    plain_server.limit = 12
    with pytest.raises(HarnessError, match="longer than the model reads: This model's maximum context length is 12"):
        asked(plain_server, [Likelihood("the old stone house " * 9, " bird")])
