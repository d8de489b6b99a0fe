"""What a task library asks of a model that reads and writes text, and what it is answered, request by request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Likelihood:
    """How likely is this continuation after this context? Answered by a `Likely`."""

    context: str
    continuation: str


@dataclass(frozen=True)
class TextLikelihood:
    """How likely is this whole text? Answered by its log-likelihood in nats."""

    text: str


@dataclass(frozen=True)
class Generation:
    """How does this text go on? Answered by a text that ends before the first of `until`.

    At most `max_new_tokens` are written: greedily, by a beam search, or with `do_sample` drawn.
    """

    context: str
    until: tuple[str, ...] = ()
    max_new_tokens: int = 256
    num_beams: int = 1
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0


class Likely(NamedTuple):
    """The log-likelihood of a continuation in nats, and whether greedy decoding writes it."""

    nats: float
    is_greedy: bool


Request = Likelihood | TextLikelihood | Generation
Response = Likely | float | str
