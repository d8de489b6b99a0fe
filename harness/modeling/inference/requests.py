"""The requests of a task library answered by a model, as lm-evaluation-harness answers them with its models of
`transformers`: the same tokens where context and continuation meet, the same truncation, the same beginnings and ends.

What requests have in common is read once; what is asked twice is answered once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from harness.core.decoding_spec import DecodingSpec
from harness.core.errors import HarnessError
from harness.core.requests import Generation, Likelihood, Likely, Request, Response, TextLikelihood
from harness.modeling.inference.generate import Stops, generate
from harness.modeling.inference.likelihood import of_pairs, windows

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Report = Callable[[float], None]
LENGTH_NAMES = ("n_positions", "max_position_embeddings", "n_ctx")
"""What configs call the most tokens a model reads, in the order they are asked."""
WITHOUT_LIMIT = 2048
"""Tokens read at once where neither config nor tokenizer says how many there may be."""
NO_LIMIT = 10**29
"""What tokenizers that have no limit say is above."""

Tokens = tuple[int, ...]
Pair = tuple[Tokens, Tokens]
"""Of a context, and of what follows."""
Reading = Literal["text", "prompt", "plain"]
"""How a text is read: to be scored, to be gone on with, or without special tokens."""


@dataclass(frozen=True)
class Answers:
    """A response for each request, and what of the contexts was cut.

    Attributes:
        responses: In the order of the requests.
        tokens: Tokens that were read.
        cut: Requests whose beginning was cut.
        max_length: The most tokens that are read at once.
    """

    responses: list[Response]
    tokens: int
    cut: int
    max_length: int


def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    requests: Sequence[Request],
    seed: int = 0,
    report: Report = lambda fraction: None,
) -> Answers:
    """A model's responses.

    Args:
        model: A causal or a sequence-to-sequence model, of `transformers` or of a runtime.
        tokenizer: Its tokenizer.
        requests: What is asked.
        seed: Of what is drawn.
        report: Is told the fraction that is done.

    Raises:
        HarnessError: a request that cannot be answered: nothing to go on from, or more than the model reads.
    """
    texts = _Texts(tokenizer, bool(model.config.is_encoder_decoder))
    limit = longest(model, tokenizer)
    places = _places(requests)
    scored = [(key, request) for key, request in places.items() if not isinstance(request, Generation)]
    kinds: dict[Generation, list[tuple[Key, Generation]]] = {}
    for key, request in places.items():
        if isinstance(request, Generation):
            kinds.setdefault(replace(request, context=""), []).append((key, request))
    responses: dict[Key, Response] = {}
    pairs = _encoded([request for _, request in scored], texts, limit)
    cut = _cut(pairs, limit, texts.writes_apart)
    flat = [pair for of_request in pairs for pair in of_request]
    tokens = sum(len(before) + len(after) for before, after in flat)
    fraction_scored = len(scored) / max(1, len(places))
    with_greedy = any(isinstance(request, Likelihood) for _, request in scored)
    nats = iter(_likely(model, flat, limit, with_greedy, lambda fraction: report(fraction_scored * fraction)))
    for (key, request), of_request in zip(scored, pairs, strict=True):
        answers = [next(nats) for _ in of_request]
        responses[key] = answers[0] if isinstance(request, Likelihood) else sum(likely.nats for likely in answers)
    for settings, group in kinds.items():
        contexts, cut_here = _contexts([request for _, request in group], texts, limit, settings)
        cut += cut_here
        tokens += sum(map(len, contexts))
        written = _generated(model, tokenizer, contexts, settings, seed)
        responses |= {key: text for (key, _), text in zip(group, written, strict=True)}
        report(len(responses) / max(1, len(places)))
    return Answers([responses[key] for key in map(_key, requests, range(len(requests)))], tokens, cut, limit)


Key = tuple[Request, int]
"""A request and, of one that is drawn, its place: it is answered anew each time."""


def _key(request: Request, place: int) -> Key:
    return request, place if isinstance(request, Generation) and request.do_sample else -1


def _places(requests: Sequence[Request]) -> dict[Key, Request]:
    """What is to be answered, each once."""
    return {_key(request, place): request for place, request in enumerate(requests)}


def longest(model: Any, tokenizer: Any) -> int:
    """The most tokens a model reads at once."""
    config = getattr(model.config, "text_config", None) or model.config
    for name in LENGTH_NAMES:
        if getattr(config, name, None) is not None:
            return int(getattr(config, name))
    limit = getattr(tokenizer, "model_max_length", None)
    return int(limit) if limit is not None and limit < NO_LIMIT else WITHOUT_LIMIT


class _Texts:
    """Texts as token ids, each text once."""

    def __init__(self, tokenizer: Any, writes_apart: bool) -> None:
        self._tokenizer = tokenizer
        self.writes_apart = writes_apart
        bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
        self._first = bos if bos is not None else eos
        begun = None if self._first is None else tokenizer.decode([self._first])
        self._begun = {"text": begun, "prompt": None if writes_apart else tokenizer.bos_token}
        self._known: dict[tuple[str, str], Tokens] = {}

    @property
    def first(self) -> int:
        """The token before a text that nothing precedes."""
        if self._first is None:
            raise HarnessError("the tokenizer names no token that begins or ends a text; with one, save it again")
        return int(self._first)

    def read(self, texts: Sequence[str], kind: Reading = "text") -> None:
        """Find the tokens of texts, many at once: with the special tokens that the tokenizer adds, unless a text has
        its beginning already; `plain`: without.
        """
        begun = self._begun.get(kind)
        for special in (False, True):
            new = [
                text
                for text in dict.fromkeys(texts)
                if (text, kind) not in self._known
                and special == (kind != "plain" and not (begun is not None and text.startswith(begun)))
            ]
            if new:
                ids = self._tokenizer(new, add_special_tokens=special, verbose=False)["input_ids"]
                self._known |= {(text, kind): tuple(row) for text, row in zip(new, ids, strict=True)}

    def of(self, text: str, kind: Reading = "text") -> Tokens:
        if (text, kind) not in self._known:
            self.read([text], kind)
        return self._known[text, kind]


def _parted(request: Likelihood) -> tuple[str, str]:
    """Context and continuation; white space that ends the context begins the continuation."""
    context = request.context.rstrip()
    return context, request.context[len(context) :] + request.continuation


def _encoded(requests: Sequence[Request], texts: _Texts, limit: int) -> list[list[Pair]]:
    """The pairs of each request: one, or of a whole text one a window."""
    parted = [_parted(request) for request in requests if isinstance(request, Likelihood) and request.context]
    texts.read([context for context, _ in parted])
    if texts.writes_apart:
        texts.read([continuation for _, continuation in parted], "plain")
    else:
        texts.read([context + continuation for context, continuation in parted])
    bare = [request.continuation for request in requests if isinstance(request, Likelihood) and not request.context]
    texts.read(bare, "plain")
    texts.read([request.text for request in requests if isinstance(request, TextLikelihood)])
    pairs = []
    for request in requests:
        assert not isinstance(request, Generation)
        if isinstance(request, TextLikelihood):
            tokens = texts.of(request.text)
            of_text = windows(tokens, texts.first, limit) if tokens else []
            pairs.append([(tuple(before), tuple(after)) for before, after in of_text])
        else:
            pairs.append([_pair(request, texts, limit)])
    return pairs


def _pair(request: Likelihood, texts: _Texts, limit: int) -> Pair:
    if not request.context:
        after = texts.of(request.continuation, "plain")
        before: Tokens = (texts.first,)
        if after[:1] == before:
            before, after = after[:1], after[1:]
    else:
        context, continuation = _parted(request)
        before = texts.of(context)
        if texts.writes_apart:
            after = texts.of(continuation, "plain")
        else:
            after = texts.of(context + continuation)[len(before) :]
    if not before or not after:
        missing = "context" if not before else "continuation"
        raise HarnessError(
            f"a request has a {missing} without tokens: {request.context[-40:]!r} + {request.continuation[:40]!r}"
        )
    if len(after) > limit:
        raise HarnessError(
            f"a request has a continuation of {len(after)} tokens, the model reads {limit}: "
            f"{request.continuation[:40]!r} …"
        )
    return before, after


def _cut(pairs: Sequence[Sequence[Pair]], limit: int, writes_apart: bool) -> int:
    """How many requests have a context that does not fit."""
    return sum(
        any(len(before) + (0 if writes_apart else len(after) - 1) > limit for before, after in of_request)
        for of_request in pairs
    )


def _likely(model: Any, pairs: Sequence[Pair], limit: int, with_greedy: bool, report: Report) -> list[Likely]:
    """Each pair's answer, of contexts that lose their beginning where they do not fit."""
    writes_apart = bool(model.config.is_encoder_decoder)
    fitting = [
        (before[-limit:] if writes_apart else before[-(limit + 1 - len(after)) :], after) for before, after in pairs
    ]
    nats, greedy = of_pairs(model, fitting, report, with_greedy)
    return [Likely(float(value), bool(same)) for value, same in zip(nats, greedy, strict=True)]


def _contexts(
    requests: Sequence[Generation], texts: _Texts, limit: int, settings: Generation
) -> tuple[list[Tokens], int]:
    """The tokens of contexts, cut on the left so that what is written has room, and how many were cut."""
    room = limit if texts.writes_apart else limit - settings.max_new_tokens
    if room <= 0:
        raise HarnessError(
            f"{settings.max_new_tokens} tokens are to be written, and the model reads {limit}, context included; the "
            "task needs a model that reads more"
        )
    texts.read([request.context for request in requests], "prompt")
    whole = [texts.of(request.context, "prompt") for request in requests]
    if not all(whole):
        raise HarnessError("a request has a context without tokens, from which nothing can be written on")
    return [tokens[-room:] for tokens in whole], sum(len(tokens) > room for tokens in whole)


def _generated(model: Any, tokenizer: Any, contexts: Sequence[Tokens], settings: Generation, seed: int) -> list[str]:
    end = tokenizer.eos_token_id
    until = list(settings.until)
    if isinstance(end, int) and (text := tokenizer.decode([end])) not in until:
        until.append(text)
    # lm_eval lets an encoder–decoder write as much more as its input is long.
    extra = [len(tokens) - 1 if model.config.is_encoder_decoder else 0 for tokens in contexts]
    names = ("temperature", "top_k", "top_p") if settings.do_sample else ()
    decoding = DecodingSpec(
        max_new_tokens=settings.max_new_tokens + max(extra),
        num_beams=settings.num_beams,
        do_sample=settings.do_sample,
        **{name: getattr(settings, name) for name in names},
    )
    written = generate(model, tokenizer, contexts, decoding, seed, stops=Stops.of(until, tokenizer))
    texts = []
    for ids, more in zip(written, extra, strict=True):
        text = tokenizer.decode(ids[: settings.max_new_tokens + more], skip_special_tokens=True)
        for stop in until:
            text = text.split(stop)[0] if stop else text
        texts.append(text)
    return texts
