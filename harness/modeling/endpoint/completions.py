"""The completions of a server: what it is asked to know it, log-probabilities of the tokens of a prompt, and texts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any, Literal

from harness.core.endpoints import EndpointOptions
from harness.core.errors import HarnessError, did_you_mean
from harness.core.hashing import hash_json
from harness.core.requests import Generation, Likely
from harness.core.text import shown
from harness.modeling.endpoint.client import Client, RefusedError

PROBE = "The cat sat on the mat."
STARTS = ("<|endoftext|>", "<|begin_of_text|>", "<s>", "<bos>", "<|im_start|>", "[BOS]", "</s>")
"""Texts of tokens that begin a text, tried where a server's tokenizer puts none before it."""
PINNING = ("id", "root", "parent", "owned_by", "max_model_len", "meta")
"""What a server says of a model that stays while the model does: of some servers the rest is the time of day."""
MOST_STOPS = 4
"""Texts that end what is written, as many as the protocol lets a request have."""


@dataclass(frozen=True)
class Known:
    """What a server was found to be.

    Attributes:
        url: Its address.
        model: What it calls the model.
        listed: What it says of the model; empty where it lists none.
        scores: `likelihood`: it gives log-probabilities of a prompt. `text`: it does not, for the `reason`.
        most: The `max_tokens` that a request for these has.
        begins_by_itself: Its tokenizer puts a token before a text.
        start: The text of a token to begin a text with; None where it needs none, or none was found.
    """

    url: str
    model: str
    listed: dict[str, Any]
    scores: Literal["likelihood", "text"]
    most: int = 0
    begins_by_itself: bool = False
    start: str | None = None
    reason: str = ""

    @property
    def identity(self) -> str:
        """What of it a result depends on. A server may change its model all the same: nothing pins it."""
        return hash_json({name: value for name, value in asdict(self).items() if name != "reason"})


@dataclass(frozen=True)
class Tokens:
    """The tokens of a prompt as a server's tokenizer has them.

    Attributes:
        texts: The text of each.
        logs: The log-probability of each after all before it; None of the first.
        greedy: Whether each is the likeliest.
        ends: Where in the prompt each ends, in characters; None where the texts of the tokens are not the prompt's, as
            those of parts of a character are.
    """

    texts: tuple[str, ...]
    logs: tuple[float | None, ...]
    greedy: tuple[bool, ...]
    ends: tuple[int, ...] | None

    def common(self, other: Tokens) -> int:
        """How many tokens both begin with, by their texts and log-probabilities."""
        pairs = zip(self.texts, other.texts, self.logs, other.logs, strict=False)
        alike = (text == same and _is_close(log, near) for text, same, log, near in pairs)
        return next(
            (index for index, is_alike in enumerate(alike) if not is_alike), len(min(self.logs, other.logs, key=len))
        )


class Completions:
    """A model behind a server's `/v1/completions`."""

    def __init__(self, client: Client, model: str) -> None:
        self._client, self._model = client, model

    def known(self, options: EndpointOptions) -> Known:
        """Find out what the server is.

        Raises:
            HarnessError: it cannot be reached, has no such model, or answers no completions.
        """
        listed = self._listed()
        scores = self._probed()
        if isinstance(scores, str):
            self._text({"prompt": PROBE, "max_tokens": 1, "temperature": 0})
            return Known(options.url, self._model, listed, "text", reason=scores)
        most, tokens = scores
        begins = tokens.logs[self._first(tokens)] is not None
        start = options.start
        if start is None and not begins:
            count = len(tokens.logs)
            start = next((text for text in STARTS if self._is_token(text, most, count)), None)
        return Known(options.url, self._model, listed, "likelihood", most, begins, start)

    @staticmethod
    def _first(tokens: Tokens) -> int:
        """The first token that holds text."""
        ends = tokens.ends or ()
        return next((index for index, end in enumerate(ends) if end > 0), 0)

    def _listed(self) -> dict[str, Any]:
        try:
            answer = self._client.get("models", retries=1)
        except RefusedError as error:
            if error.status not in (404, 405, 501):
                raise
            return {}
        entries = answer.get("data") if isinstance(answer, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and "id" in entry for entry in entries):
            raise HarnessError(f"{self._client.where}: what it answers at /v1/models is no list of models")
        names = {str(entry["id"]): entry for entry in entries}
        if self._model not in names:
            raise HarnessError(
                f"{self._client.where}: it has no model {shown(self._model)}.{did_you_mean(self._model, names)}"
            )
        return {name: names[self._model].get(name) for name in PINNING if name in names[self._model]}

    def _probed(self) -> tuple[int, Tokens] | str:
        """How log-probabilities of a prompt are asked for, and those of the probe; or why there are none."""
        reason = ""
        for most in (0, 1):
            try:
                return most, self.tokens(PROBE, most)
            except RefusedError as error:
                if error.status in (401, 403):
                    raise
                reason = str(error)
            except NoLogProbabilitiesError as error:
                reason = str(error)
        return reason

    def _is_token(self, text: str, most: int, count: int) -> bool:
        """Whether a text is one token before the `count` tokens of the probe."""
        try:
            tokens = self.tokens(text + PROBE, most)
        except HarnessError:
            return False
        return len(tokens.logs) == count + 1 and tokens.logs[1] is not None

    def tokens(self, prompt: str, most: int) -> Tokens:
        """The tokens of a prompt. Raises HarnessError where the server gives no log-probabilities, or not of all."""
        asked = {"prompt": prompt, "max_tokens": most, "temperature": 0, "echo": True, "logprobs": 1}
        answer = self._client.post("completions", {"model": self._model, **asked})
        choice = _first_choice(answer, self._client.where)
        texts, logs, tops = self._checked(choice.get("logprobs"))
        ends, count = _places(texts, prompt), _prompt_tokens(answer)
        if ends is not None:
            count = len(ends)
        elif count is None:
            count = len(texts) - most
        is_of_prompt = ends is not None or any("\ufffd" in text or text.startswith("bytes:") for text in texts)
        if not is_of_prompt or not 0 < count <= len(texts):
            raise NoLogProbabilitiesError(
                f"{self._client.where}: its log-probabilities are not of the tokens of the prompt it was sent"
            )
        greedy = [top is not None and log is not None and log >= max(top.values(), default=log)
                  for log, top in zip(logs[:count], tops[:count], strict=True)]  # fmt: skip
        return Tokens(tuple(texts[:count]), tuple(logs[:count]), tuple(greedy), ends)

    def _checked(self, given: Any) -> tuple[list[str], list[float | None], list[dict[str, float] | None]]:
        """Texts, log-probabilities and likeliest tokens of each token."""
        if not isinstance(given, dict):
            raise NoLogProbabilitiesError(f"{self._client.where}: it gives no log-probabilities of a prompt")
        texts, logs, tops = (given.get(name) or [] for name in ("tokens", "token_logprobs", "top_logprobs"))
        is_whole = (
            all(isinstance(column, list) and len(column) == len(texts) > 0 for column in (texts, logs, tops))
            and all(isinstance(text, str) for text in texts)
            and all(log is None or _is_log(log) for log in logs)
            and all(top is None or (isinstance(top, dict) and all(map(_is_log, top.values()))) for top in tops)
        )
        if not is_whole:
            raise NoLogProbabilitiesError(
                f"{self._client.where}: its log-probabilities lack tokens, token_logprobs or top_logprobs of each token"
            )
        return texts, logs, tops

    def likely(self, before: str, after: str, known: Known) -> Likely:
        """How likely a text is after another one, as running text: of all tokens that hold some of it. Where a token
        goes over the edge between them, it counts with the part of the first text that is in it: a text has no
        likelihood without the beginning of its first token.

        Raises:
            HarnessError: the second text has no token, or nothing is known of its first one.
        """
        before = before or ("" if known.begins_by_itself else self._start(known))
        tokens = self.tokens(before + after, known.most)
        if tokens.ends is not None:
            begin = next((index for index, end in enumerate(tokens.ends) if end > len(before)), len(tokens.logs))
        else:
            begin = tokens.common(self.tokens(before, known.most)) if before else 1
        logs = tokens.logs[begin:]
        if not logs:
            raise HarnessError(f"a request has a continuation without tokens: {before[-40:]!r} + {after[:40]!r}")
        if any(log is None for log in logs):
            raise HarnessError(f"{self._client.where}: it gives no log-probability of a token after {before[-40:]!r}")
        return Likely(math.fsum(log for log in logs if log is not None), all(tokens.greedy[begin:]))

    def _start(self, known: Known) -> str:
        if known.start is None:
            raise HarnessError(
                f"{self._client.where}: a text that nothing precedes needs a token before it: give its text in the "
                "model spec, options: {start: TEXT}"
            )
        return known.start

    def written(self, request: Generation, seed: int, known: Known) -> str:
        """How a text goes on."""
        stops = [text for text in request.until if text]
        drawn = {"temperature": request.temperature, "top_p": request.top_p} if request.do_sample else {}
        if request.do_sample and request.top_k:
            drawn["top_k"] = request.top_k
        asked = {
            "prompt": request.context or self._start(known),
            "max_tokens": request.max_new_tokens,
            "seed": seed,
            **(drawn or {"temperature": 0}),
            **({"stop": stops[:MOST_STOPS]} if stops else {}),
        }
        return cut(self._text(asked), stops)

    def _text(self, asked: dict[str, Any]) -> str:
        answer = self._client.post("completions", {"model": self._model, **asked})
        text = _first_choice(answer, self._client.where).get("text")
        if not isinstance(text, str):
            raise HarnessError(f"{self._client.where}: its completion has no text")
        return text


class NoLogProbabilitiesError(HarnessError):
    """An answer lacks log-probabilities of a prompt."""


def cut(text: str, stops: Sequence[str]) -> str:
    """A text without what follows the first of `stops` in it."""
    for stop in stops:
        text = text.partition(stop)[0]
    return text


def _is_log(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value <= 1e-3


def _is_close(log: float | None, other: float | None) -> bool:
    """Whether two log-probabilities can be of one token after the same ones, computed in other batches."""
    return log == other if log is None or other is None else abs(log - other) <= 0.05 * (1 + abs(log))


def _first_choice(answer: Any, where: str) -> dict[str, Any]:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise HarnessError(f"{where}: its answer holds no completion")
    return choices[0]


def _prompt_tokens(answer: Any) -> int | None:
    usage = answer.get("usage")
    count = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) and not isinstance(count, bool) else None


def _places(texts: Sequence[str], prompt: str) -> tuple[int, ...] | None:
    """Where in a prompt its tokens end, what is before its own text (a token that begins it, a space) at 0; None where
    they are not those of the prompt.
    """
    for begun in (0, len(texts[0]) if texts else 0, 1):
        ends = [end - begun for end in accumulate(map(len, texts))]
        whole = "".join(texts)
        if whole[begun : begun + len(prompt)] != prompt or (begun == 1 and not whole[0].isspace()):
            continue
        count = next((index + 1 for index, end in enumerate(ends) if end >= len(prompt)), None)
        if count is not None and ends[count - 1] == len(prompt):
            return tuple(max(0, end) for end in ends[:count])
    return None
