"""Tasks put to a model behind a server: their examples as requests, and predictions of the responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.libraries import LIBRARIES
from harness.core.predictions import Predictions
from harness.core.requests import Generation, Likelihood, Likely, Request, Response, TextLikelihood
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.metrics.last_word import written
from harness.modeling.endpoint.matching import RULE, matched
from harness.modeling.heads import EncodingContext, prompting
from harness.modeling.heads.multiple_choice import NEVER

if TYPE_CHECKING:
    import numpy as np

Answer = Callable[[Sequence[Request]], list[Response]]
CHOICE_TOKENS = 48
"""Tokens in which a text has to name its answer."""
REMOTE = "the model is behind an endpoint, remote and not pinned: what stands there under this name can change"


def not_applicable(task: TaskSpec, by_likelihood: bool) -> str | None:
    """Why a model behind a server cannot do a task; None where it can."""
    family = FAMILIES.get(task.family)
    if task.library is not None:
        return (
            "it asks for vectors of texts, which an endpoint for completions does not give"
            if (task.shots is None)
            else None
        )
    if family.predictions == "tags":
        return f"an endpoint has no way to {task.family}"
    if family.target is not None and task.shots is None:
        return f"an endpoint is not trained on a task; show it examples instead: {task.name}@0-shot, @5-shot"
    if family.predictions == "values":
        return "by examples alone a model ranks words, and has none for numbers"
    if task.shots and family.target is None:
        return f"{task.family} asks nothing, so it has no examples to show"
    if family.target is not None and prompting.prompt_of(task) is None:
        return "the task has no prompt, by which a model that reads and writes text is asked"
    if family.in_words and task.decoding.num_beams > 1:
        return "its decoding is a beam search, which the protocol of completions has none of"
    if family.predictions in ("likelihoods", "log-odds", "last-words") and not by_likelihood:
        return f"{task.family} needs log-probabilities of texts, and the endpoint gives none"
    return None


def predict(answer: Answer, reader: EncodingContext, split: Split, by_likelihood: bool) -> Predictions:
    """What a model says of n examples.

    Args:
        answer: Answers requests.
        reader: The task; it has no tokenizer.
        split: The examples.
        by_likelihood: Log-probabilities can be asked for.

    Raises:
        HarnessError: the task asks for what the server cannot give.
    """
    kind = reader.family.predictions
    predictors = {"outcomes": _outcomes, "likelihoods": _likelihoods, "last-words": _last_words, "log-odds": _pairs}
    if kind in predictors:
        predicted = predictors[kind](answer, reader, split, by_likelihood)
    elif kind == "labels":
        predicted = (_ranked if by_likelihood else _matched)(answer, reader, split)
    else:
        predicted = _written(answer, reader, split)
    scored = {} if kind == "texts" else {"scored_by": "likelihood" if by_likelihood else "text"}
    return replace(predicted, settings={**predicted.settings, **scored}, cautions=(REMOTE, *predicted.cautions))


def _outcomes(answer: Answer, reader: EncodingContext, split: Split, by_likelihood: bool) -> Predictions:
    asking = LIBRARIES.get(str(reader.task.library)).asking(reader.task, split, reader.seed)
    if not by_likelihood and not all(isinstance(request, Generation) for request in asking.requests):
        raise HarnessError(
            f"task {reader.task.name}: it asks for log-probabilities, and the endpoint gives none of a prompt; take a "
            "task in which the model writes its answer"
        )
    if any(isinstance(request, Generation) and request.num_beams > 1 for request in asking.requests):
        raise HarnessError(f"task {reader.task.name}: it asks for a beam search, which an endpoint does not do")
    made = asking.outcomes(answer(asking.requests))
    return Predictions(_objects(made.values), made.columns, {**made.settings, "requests": len(asking.requests)})


def _likelihoods(answer: Answer, reader: EncodingContext, split: Split, by_likelihood: bool) -> Predictions:
    return Predictions(_nats(answer, split.fields["text"]))


def _pairs(answer: Answer, reader: EncodingContext, split: Split, by_likelihood: bool) -> Predictions:
    first, second = reader.family.required
    good, bad = (_nats(answer, split.fields[name]) for name in (first, second))
    return Predictions(good - bad, {first: good.tolist(), second: bad.tolist()}, {"reduction": "sum"})


def _nats(answer: Answer, texts: Sequence[str]) -> np.ndarray:
    import numpy as np

    return np.asarray(answer([TextLikelihood(text) for text in texts]), dtype=np.float64)


def _last_words(answer: Answer, reader: EncodingContext, split: Split, by_likelihood: bool) -> Predictions:
    parted = [text.rpartition(" ") for text in split.fields["text"]]
    for (rest, _, word), name in zip(parted, split.ids, strict=True):
        if not rest.strip() or not word.strip():
            raise HarnessError(f"task {reader.task.name}: example {name} has no last word after others")
    answers = _likely(answer, [Likelihood(rest, prompting.DELIMITER + word) for rest, _, word in parted])
    return Predictions(_objects([written(min(0.0, likely.nats), likely.is_greedy) for likely in answers]))


def _ranked(answer: Answer, reader: EncodingContext, split: Split) -> Predictions:
    """The likeliest of the answers after each prompt; their log-likelihoods are the logits."""
    import numpy as np

    texts = prompting.with_shots(reader, prompting.prompts(reader, split))
    words = prompting.ranked_words(reader, split)
    answers = _likely(
        answer,
        [
            Likelihood(text, prompting.DELIMITER + word)
            for text, choices in zip(texts, words, strict=True)
            for word in choices
        ],
    )
    scores = np.full((len(texts), max(map(len, words))), NEVER)
    nats = iter(answers)
    for row, choices in enumerate(words):
        scores[row, : len(choices)] = [next(nats).nats for _ in choices]
    settings = {"ranking": "sum of log-likelihoods", "shots": reader.task.shots}
    return Predictions(scores.argmax(axis=1), {"logits": scores.astype("float32")}, settings)


def _matched(answer: Answer, reader: EncodingContext, split: Split) -> Predictions:
    """The answer that the written text names. Where it names none, the class after the right one: it is wrong."""
    import numpy as np

    texts = prompting.with_shots(reader, prompting.prompts(reader, split))
    words = prompting.ranked_words(reader, split)
    until = (prompting.BETWEEN_SHOTS,)
    responses = answer([Generation(text.rstrip(), until, max_new_tokens=CHOICE_TOKENS) for text in texts])
    written_texts = [str(response) for response in responses]
    numbers = [matched(text, choices) for text, choices in zip(written_texts, words, strict=True)]
    right: Sequence[Any] = split.labels if split.labels is not None else [0] * len(split)
    values = [
        (int(label) + 1) % len(choices) if number is None else number
        for number, label, choices in zip(numbers, right, words, strict=True)
    ]
    unmatched = numbers.count(None)
    settings: Mapping[str, Any] = {"matching": RULE, "unmatched": unmatched, "shots": reader.task.shots}
    caution = (
        "scored by text, since the endpoint gives no log-probabilities of a prompt: the answer counts that stands in "
        f"what the model writes; {unmatched} of {len(split)} texts name none, and are wrong"
    )
    return Predictions(np.asarray(values, dtype=np.int64), {"text": written_texts}, settings, cautions=(caution,))


def _written(answer: Answer, reader: EncodingContext, split: Split) -> Predictions:
    decoding = reader.task.decoding
    asks = reader.family.target is not None
    if asks:
        texts = prompting.with_shots(reader, prompting.prompts(reader, split))
    else:
        texts = prompting.beginnings(reader, split)[0]
    drawn = {name: getattr(decoding, name) for name in ("do_sample", "temperature", "top_k", "top_p")}
    until = (prompting.BETWEEN_SHOTS,) if asks else ()
    requests = [Generation(text, until, decoding.max_new_tokens, **drawn) for text in texts]
    return prompting.as_answers(reader, [str(text) for text in answer(requests)], {}, {})


def _likely(answer: Answer, requests: Sequence[Likelihood]) -> list[Likely]:
    return [likely for likely in answer(requests) if isinstance(likely, Likely)]


def _objects(values: Sequence[str]) -> np.ndarray:
    import numpy as np

    return np.fromiter(values, dtype=object, count=len(values))
