"""Requests of tasks answered by a model behind a server."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.core import code_identity
from harness.core.endpoints import EndpointOptions
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.requests import Generation, Likelihood, Likely, Request, Response, TextLikelihood
from harness.modeling.endpoint.client import Client, concurrently
from harness.modeling.endpoint.completions import Completions, Known, NoLogProbabilitiesError
from harness.modeling.endpoint.kept import KeptAnswers

Report = Callable[[float], None]
CODE = "harness.modeling.endpoint.completions"
"""The module that makes answers of what a server sends."""


class Endpoint:
    """A model behind a server. `shared` is the folder in which answers are kept; None keeps none."""

    def __init__(self, options: Mapping[str, Any], where: str, shared: Path | None = None) -> None:
        self._options = EndpointOptions.model_validate(dict(options))
        self._shared = shared
        self._completions = Completions(Client(self._options, shared), self._options.model)
        self._where = where

    def known(self) -> Known:
        """What the server is now. Raises HarnessError as `Completions.known` does."""
        return self._completions.known(self._options)

    def answers(
        self, requests: Sequence[Request], known: Known, seed: int = 0, report: Report = lambda fraction: None
    ) -> list[Response]:
        """A response for each request, each asked once and kept.

        Raises:
            HarnessError: the server cannot answer one; those that it has answered are kept.
        """
        folder = None if self._shared is None else self._shared / known.identity[:32]
        keys = [self._key(request, place, known, seed) for place, request in enumerate(requests)]
        by_key = dict(zip(keys, requests, strict=True))
        kept = KeptAnswers(folder)
        missing = [key for key in by_key if kept.get(key) is None]
        asked = concurrently(
            lambda key: kept.keep(key, self._asked(by_key[key], known, seed)), missing, self._options.concurrency
        )
        for count, _ in enumerate(asked, 1 + len(by_key) - len(missing)):
            report(count / len(by_key))
        return [_response(request, kept.get(key)) for request, key in zip(requests, keys, strict=True)]

    def _key(self, request: Request, place: int, known: Known, seed: int) -> str:
        """One that is drawn is answered anew at each place and for each seed."""
        drawn = [place] if isinstance(request, Generation) and request.do_sample else []
        seeded = [seed] if isinstance(request, Generation) else []
        kind = type(request).__name__
        return hash_json([known.identity, code_identity.identity(CODE), kind, asdict(request), *seeded, *drawn])

    def _asked(self, request: Request, known: Known, seed: int) -> Any:
        if isinstance(request, Generation):
            return self._completions.written(request, seed, known)
        if known.scores != "likelihood":
            raise HarnessError(f"{self._where}: its server gives no log-probabilities: {known.reason}")
        if isinstance(request, TextLikelihood):
            before, after = "", request.text
        else:
            before = request.context.rstrip()
            after = request.context[len(before) :] + request.continuation
        try:
            return list(self._completions.likely(before, after, known))
        except NoLogProbabilitiesError as error:
            raise HarnessError(
                f"{error}, though it did when it was asked first; what it answered so far is kept"
            ) from None


def _response(request: Request, answer: Any) -> Response:
    if isinstance(request, Generation):
        return str(answer)
    return Likely(float(answer[0]), bool(answer[1])) if isinstance(request, Likelihood) else float(answer[0])
