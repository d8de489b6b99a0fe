"""Models behind an OpenAI-compatible server (vLLM, SGLang, llama.cpp): scored as they are, by examples alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from harness.core.endpoints import EndpointOptions
from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec
from harness.core.strict_spec import parse
from harness.modeling.endpoint.answering import Endpoint
from harness.modeling.endpoint.completions import Known
from harness.modeling.endpoint.tasks import not_applicable, predict
from harness.modeling.heads import EncodingContext
from harness.training.learners.base import FitRequest, Learner, PredictRequest


class EndpointLearner(Learner):
    """Asks a server; fits nothing. `known` is what each server was found to be last, by the options that name it."""

    deterministic = True
    exact = True
    in_folder = False
    remote = True
    augmented = frozenset()

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}

    def check(self, model_spec: ModelSpec) -> None:
        """Raises HarnessError for options that are none, and for a model spec that has weights as well."""
        where = f"model spec {model_spec.name}"
        if model_spec.pretrained is not None or model_spec.config is not None:
            raise HarnessError(f"{where}: the weights of an endpoint are the server's; leave out pretrained and config")
        parse(EndpointOptions, dict(model_spec.options), f"{where}: options")

    def state(self, model_spec: ModelSpec) -> str:
        """What the server is now. Raises HarnessError where it cannot be reached, or has no such model."""
        known = _endpoint(model_spec.options, model_spec.name).known()
        self._known[hash_json(model_spec.options)] = known
        return known.identity

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        known = self._known.get(hash_json(model_spec.options))
        return not_applicable(task, known is None or known.scores == "likelihood")

    def estimate(self, model_spec: ModelSpec, pretrained: Any, examples: int, words: int) -> float | None:
        return None

    def fit(self, request: FitRequest) -> dict[str, Any]:
        raise HarnessError("a model behind an endpoint is scored as it is, and not trained")

    def predict(self, request: PredictRequest) -> Predictions:
        endpoint = _endpoint(request.options, str(request.options["model"]), request)
        known = endpoint.known()
        if known.identity != str(request.directory):
            raise HarnessError(
                f"endpoint {known.url}: what it serves as {known.model} changed since the run was planned; run it again"
            )
        reader = EncodingContext(request.task, request.labels, cast(Any, None), 0, request.seed, shots=request.shown)
        return predict(
            lambda asked: endpoint.answers(asked, known, request.seed, request.report),
            reader,
            request.split,
            known.scores == "likelihood",
        )


def _endpoint(options: Mapping[str, Any], name: str, request: PredictRequest | None = None) -> Endpoint:
    return Endpoint(options, f"model {name}", None if request is None else request.shared)


LEARNER = EndpointLearner()
