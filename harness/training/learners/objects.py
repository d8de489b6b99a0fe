"""Models that are objects of the calling program: a `transformers` model with its tokenizer, a scikit-learn pipeline,
or any callable. They are scored as they are, in the process they live in.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable
from uuid import uuid4

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.iob import IOB
from harness.core.predictions import Predictions
from harness.core.specs import ModelSpec, TaskSpec
from harness.modeling.heads import HEADS, EncodingContext, head_for
from harness.modeling.weights.settings import head_of_class, usual_length
from harness.training.learners.base import FitRequest, Learner, PredictRequest
from harness.training.learners.classes import class_order, in_columns, in_order, tag_order

if TYPE_CHECKING:
    import numpy as np

Texts = Sequence[str] | Sequence[tuple[str, str]]
"""The examples a callable is given: n texts, or n pairs of texts where the task has two fields."""
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


@runtime_checkable
class Classifier(Protocol):
    """What is asked of a scikit-learn model: its classes, and the probability of each."""

    classes_: Any

    def predict_proba(self, texts: Any) -> Any:
        """The probability of each class, (n, classes)."""


@dataclass(frozen=True, eq=False)
class WrappedModel:
    """A model that is an object. Made by `harness.wrap`.

    Attributes:
        name: What tables call it.
        version: Its state, as the caller numbers it; None: nobody can tell, so that no score of it is reused.
        model: A `transformers` model, an object with scikit-learn's `predict_proba` or `predict`, or a callable.
        tokenizer: That of a `transformers` model.
        max_length: Tokens a `transformers` model reads at once; None for its own limit, at most 512.
        identity: What stands for the object in the keys of its scores.
        corpus: What it was pretrained on, as `--corpus` takes it; None where that is not known.
    """

    name: str
    version: str | None
    model: Any
    tokenizer: Any = None
    max_length: int | None = None
    identity: str = ""
    corpus: str | None = None


def wrap(
    model: Any,
    *,
    name: str,
    version: str | None = None,
    tokenizer: Any = None,
    max_length: int | None = None,
    corpus: str | os.PathLike[str] | None = None,
) -> WrappedModel:
    """An object as a model that can be scored.

    Args:
        model: One of

            - a `transformers` model with a head for the task; `tokenizer` is its tokenizer;
            - a fitted scikit-learn pipeline or estimator that takes texts: `predict_proba` and `classes_` where it has
              them, else `predict`;
            - a callable `texts -> answers`. It is given n texts, or n pairs of texts for a task of two fields, and
              returns n answers: names of classes, or an array (n, classes) of scores in the order of the task's
              labels; numbers for similarity, and for minimal pairs by how many nats the first text is the likelier
              one; texts for question answering, summarization and translation. For question answering a pair is
              (question, context). For token classification a text is its words between
              spaces, and an answer their tags: a list, or a text with spaces between.
        name: What tables call it: letters, digits and `._-`.
        version: The state of the object. Scores are stored under name and version, and reused while both are the same:
            raise it when the object changes. Without one no score is reused.
        tokenizer: Of a `transformers` model.
        max_length: Tokens a `transformers` model reads at once.
        corpus: What it was pretrained on (`synthetic`, a file or folder of text, `hub:ID`): its scores are then also
            told without the examples that stand in it.

    Returns:
        A model for `harness.evaluate` and `harness.run`.

    Raises:
        HarnessError: a name that cannot be one, no callable, or a `transformers` model without its tokenizer.
    """
    if not NAME.match(name):
        raise HarnessError(f"wrap: name {name!r}: give letters, digits and ._- only, the first a letter or a digit")
    if _is_transformer(model):
        if tokenizer is None:
            raise HarnessError(f"wrap {name}: a transformers model is wrapped with its tokenizer: give tokenizer=…")
    elif not (isinstance(model, Classifier) or hasattr(model, "predict") or callable(model)):
        raise HarnessError(
            f"wrap {name}: {type(model).__name__} is no transformers model, has no predict and cannot be called"
        )
    identity = hash_json([name, version]) if version is not None else uuid4().hex
    of = None if corpus is None else os.fspath(corpus)
    return WrappedModel(name, None if version is None else str(version), model, tokenizer, max_length, identity, of)


_LIVE: dict[str, WrappedModel] = {}


def keep(models: Mapping[str, WrappedModel]) -> None:
    """Make objects known to this process, by their identities."""
    _LIVE.update(models)


def forget(models: Mapping[str, WrappedModel]) -> None:
    """Let go of objects."""
    for identity in models:
        _LIVE.pop(identity, None)


def spec_of(wrapped: WrappedModel) -> ModelSpec:
    """How a plan knows an object."""
    options = {"identity": wrapped.identity, "version": wrapped.version, "corpus": wrapped.corpus}
    return ModelSpec(name=wrapped.name, learner="object", options=options)


class ObjectLearner(Learner):
    """Predicts with objects of this process; fits nothing."""

    deterministic = True
    exact = True
    in_folder = False
    augmented = frozenset()

    def check(self, model_spec: ModelSpec) -> None:
        """Recipes of objects are made by `wrap` alone."""
        if "identity" not in model_spec.options:
            raise HarnessError(
                f"model spec {model_spec.name}: an object comes from Python, by harness.wrap; it has no file"
            )

    def state(self, model_spec: ModelSpec) -> str:
        """The identity that `wrap` gave the object."""
        return str(model_spec.options["identity"])

    def not_applicable(self, task: TaskSpec, model_spec: ModelSpec, architecture: str | None) -> str | None:
        """Why an object cannot do the task: it is shown no examples."""
        return "an object is not shown examples" if task.shots else None

    def fit(self, request: FitRequest) -> dict[str, Any]:
        """Refused: an object is scored as it is."""
        raise HarnessError("an object is scored as it is, and not trained")

    def predict(self, request: PredictRequest) -> Predictions:
        """What the object says of the examples.

        Raises:
            HarnessError: the object is not known to this process, fails, or answers with what the task does not take.
        """
        wrapped = _LIVE.get(str(request.directory))
        if wrapped is None:
            raise HarnessError("the object is not known to this process; run it with executor='inline'")
        try:
            if _is_transformer(wrapped.model):
                return _of_transformer(wrapped, request)
            return _of_answers(wrapped, request)
        except HarnessError:
            raise
        except Exception as error:
            raise HarnessError(f"model {wrapped.name}: {type(error).__name__}: {error}") from error


def _of_transformer(wrapped: WrappedModel, request: PredictRequest) -> Predictions:
    model, task = wrapped.model, request.task
    name = head_of_class(type(model).__name__)
    if name is None:
        raise HarnessError(f"model {wrapped.name}: {type(model).__name__} has no head for a task")
    usual = head_for(task, "encoder-decoder" if model.config.is_encoder_decoder else _architecture(name))
    if usual != name:
        raise HarnessError(f"model {wrapped.name}: {task.family} needs the head {usual}, it has {name}")
    limit = wrapped.max_length or usual_length(model.config.to_dict())
    names = model.config.id2label
    tags: tuple[str, ...] = ()
    if name == "token-classification":
        tags = tag_order(names, task, request.labels, wrapped.name, request.label_map)
    reader = EncodingContext(task, request.labels, wrapped.tokenizer, limit, request.seed, outputs=tags)
    was_training = model.training
    try:
        predicted = HEADS.get(name).predict(model.eval(), reader, request.split, request.report)
    finally:
        model.train(was_training)
    if tags or not request.labels:
        return predicted
    order = class_order(names, task, request.labels, wrapped.name, request.label_map)
    return in_order(request.family, predicted, order)


def _of_answers(wrapped: WrappedModel, request: PredictRequest) -> Predictions:
    import numpy as np

    if request.task.library is not None:
        raise HarnessError(
            f"model {wrapped.name}: {request.task.name} asks for likelihoods or texts of a language model"
        )
    family, model = request.family, wrapped.model
    first, second = family.texts(request.split)
    texts: list[Any] = list(first) if second is None else list(zip(first, second, strict=True))
    if family.predictions == "labels" and isinstance(model, Classifier):
        scores = np.asarray(model.predict_proba(texts), dtype=np.float32)
        names = {index: str(name) for index, name in enumerate(model.classes_)}
        order = class_order(names, request.task, request.labels, wrapped.name, request.label_map)
        logits = np.log(np.maximum(scores, 1e-12))
        return Learner.of_logits(family, logits if order is None else in_columns(logits, order))
    ask: Callable[[Any], Any] = model.predict if hasattr(model, "predict") else model
    answers = ask(texts)
    if len(answers) != len(texts):
        raise HarnessError(f"model {wrapped.name}: {len(answers)} answers to {len(texts)} examples")
    return _predictions(answers, wrapped, request)


def _predictions(answers: Any, wrapped: WrappedModel, request: PredictRequest) -> Predictions:
    import numpy as np

    kind, name = request.family.predictions, wrapped.name
    if kind == "texts":
        if not all(isinstance(answer, str) for answer in answers):
            raise HarnessError(f"model {name}: {request.family.name} takes texts as answers")
        return Predictions(np.array(list(answers), dtype=object))
    if kind == "tags":
        return Predictions(_tags(answers, name, request.split.fields["tokens"]))
    array = np.asarray(answers)
    if kind == "labels" and array.ndim == 2 and array.dtype.kind == "f":
        if array.shape[1] != len(request.labels):
            raise HarnessError(
                f"model {name}: scores of {array.shape[1]} classes, the task has {len(request.labels)}: "
                f"{', '.join(request.labels)}"
            )
        return Learner.of_logits(request.family, array.astype(np.float32))
    if kind == "labels":
        return Predictions(_classes([str(answer) for answer in answers], wrapped, request))
    if kind in ("values", "log-odds") and array.dtype.kind in "fiu" and array.ndim == 1:
        return Predictions(array.astype(np.float64))
    raise HarnessError(f"model {name}: {request.family.name} needs {kind}, not {array.dtype} of shape {array.shape}")


def _tags(answers: Any, name: str, texts: Sequence[str]) -> np.ndarray:
    import numpy as np

    values = np.empty(len(texts), dtype=object)
    for index, (answer, text) in enumerate(zip(answers, texts, strict=True)):
        tags = answer.split() if isinstance(answer, str) else list(answer)
        count = len(text.split(" "))
        if len(tags) != count or not all(isinstance(tag, str) and IOB.fullmatch(tag) for tag in tags):
            raise HarnessError(
                f"model {name}: its answer to text {index} is {str(answer)[:60]!r}; it takes {count} IOB tags, one for "
                "each word"
            )
        values[index] = " ".join(tags)
    return values


def _classes(answers: list[str], wrapped: WrappedModel, request: PredictRequest) -> np.ndarray:
    import numpy as np

    known = {label: index for index, label in enumerate(request.labels)}
    known |= {alias: known[label] for alias, label in request.task.label_aliases.items() if alias not in known}
    known |= {name: known[label] for name, label in request.label_map.items() if name not in known and label in known}
    unknown = sorted(set(answers) - set(known))
    if unknown:
        raise HarnessError(
            f"model {wrapped.name}: the answer {unknown[0]!r} is no class of task {request.task.name}: "
            f"{', '.join(request.labels)}"
        )
    return np.array([known[answer] for answer in answers], dtype=np.int64)


def _is_transformer(model: Any) -> bool:
    return hasattr(model, "config") and hasattr(model, "parameters") and hasattr(model, "forward")


def _architecture(head: str) -> Any:
    return "decoder" if head == "causal-lm" else "encoder"


LEARNER = ObjectLearner()
