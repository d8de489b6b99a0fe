"""What `harness predict` answers, as its JSON has it."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from harness.core.facts import Facts


class Answers(Facts):
    """Parts of an answer; a perplexity may be infinite."""

    model_config = ConfigDict(allow_inf_nan=True)


class Choice(Answers):
    """A candidate: a token, a class by its label, or an answer with its score."""

    id: int = 0
    token: str | None = None
    label: str | None = None
    probability: float = 0.0
    answer: str = ""
    score: float = 0.0


class Ranked(Answers):
    """Candidates, the likeliest first; `logits` of all, by id, where they were asked for."""

    top: list[Choice] = Field(default_factory=list)
    logits: list[float] | None = None


class Mask(Ranked):
    position: int


class TokenScore(Ranked):
    """How likely a token of the text is where it stands, and its rank there."""

    position: int
    rank: int
    probability: float
    token: str


class TaggedWord(Answers):
    word: str
    tag: str
    probability: float


class Entity(Answers):
    """What words of a text name, and where they stand."""

    type: str
    text: str
    start: int
    end: int
    probability: float


class AskedModel(Answers):
    architecture: str
    parameters: int | None = None
    runtime: str | None = None
    partial_weights: dict[str, Any] | None = None


class Prediction(Ranked):
    """The answer to a text or to a file of an image or a sound, by the kind of head: masks, scores of positions, an
    answer in a context, a value, classes, the entities of a tagger, or a continuation.
    """

    kind: str
    text: str = ""
    file: str | None = None
    model: AskedModel
    context: str | None = None
    unknown_tokens: int = 0
    masks: list[Mask] | None = None
    positions: list[TokenScore] | None = None
    pseudo_log_likelihood: float = 0.0
    pseudo_perplexity: float = 0.0
    answer: str | None = None
    null_margin: float | None = None
    value: float | None = None
    entities: list[Entity] | None = None
    words: list[TaggedWord] = Field(default_factory=list)
    generated: str = ""
    tokens: list[Choice] = Field(default_factory=list)
    stopped: str = ""
