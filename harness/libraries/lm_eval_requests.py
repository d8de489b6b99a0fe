"""The requests that lm-evaluation-harness makes of a task's examples, and what it makes of their responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from harness.core.errors import HarnessError
from harness.core.hashing import hash_json
from harness.core.libraries import ANSWER, VALUES, Asking, Examples, Outcomes
from harness.core.plugins import reason_of
from harness.core.requests import Generation, Likelihood, Likely, Request, Response, TextLikelihood
from harness.core.specs import TaskSpec
from harness.libraries.lm_eval_tasks import FEWSHOT_SEED, load, noted_of, quiet, templates_kept

LONGEST_ANSWER = 2000
NO_TARGET = "–"
WRITING = {"until", "do_sample", "temperature", "top_k", "top_p", "num_beams"}
MOST_TOKENS = ("max_gen_toks", "max_new_tokens", "max_tokens", "max_completion_tokens")
TOKENS_WRITTEN = 256
"""Where a task does not say how many."""


class LmEvalAsking(Asking):
    """Of the examples of a split, by their numbers in it."""

    def __init__(self, spec: TaskSpec, split: Examples, seed: int) -> None:
        self._where = f"task {spec.name}"
        self._task = load(spec)
        self._shots = noted_of(spec)["num_fewshot"]
        numbers = [int(name.rpartition("-")[2]) for name in split.ids]
        self._task.set_fewshot_seed(seed=FEWSHOT_SEED + seed)
        with quiet(), templates_kept():
            docs = dict(self._task.doc_iterator(limit=max(numbers) + 1))
            self._docs = {number: docs[number] for number in numbers}
            by_doc = {number: self._instances(number, doc) for number, doc in docs.items()}
        self._by_doc = {number: by_doc[number] for number in numbers}
        self._repeats = [
            instance
            for instances in self._by_doc.values()
            for instance in instances
            for _ in range(instance.repeats or 1)
        ]
        self.requests = [_request(instance, self._where) for instance in self._repeats]

    def _instances(self, number: int, doc: Any) -> list[Any]:
        """What is asked about an example, in order."""
        task = self._task
        try:
            context = task.fewshot_context(
                doc,
                num_fewshot=self._shots,
                system_instruction=None,
                apply_chat_template=False,
                fewshot_as_multiturn=False,
                chat_template=None,
                gen_prefix=task.doc_to_prefix(doc),
            )
            made = task.construct_requests(
                doc=doc,
                ctx=context,
                metadata=(task.config.task, number, task.config.repeats),
                apply_chat_template=False,
                chat_template=None,
            )
        except Exception as error:
            raise HarnessError(f"{self._where}: example {number} cannot be put: {reason_of(error)}") from None
        return sorted(made if isinstance(made, list) else [made], key=lambda instance: int(instance.idx))

    def outcomes(self, responses: Sequence[Response]) -> Outcomes:
        """By the task's own filters and metrics."""
        task = self._task
        instances = [instance for made in self._by_doc.values() for instance in made]
        for instance in instances:
            instance.resps, instance.filtered_resps = [], {}
        for instance, response in zip(self._repeats, responses, strict=True):
            instance.resps.append(tuple(response) if isinstance(response, Likely) else response)
        values: dict[int, dict[str, Any]] = {number: {} for number in self._by_doc}
        task._instances = instances
        with quiet(), templates_kept():
            try:
                task.apply_filters()
            except Exception as error:
                raise HarnessError(f"{self._where}: its filters fail: {reason_of(error)}") from None
            for kept in instances[0].filtered_resps:
                for number, made in self._by_doc.items():
                    values[number] |= self._values(number, made, kept)
        return Outcomes(
            [json.dumps({ANSWER: self._answer(made), VALUES: values[number]}, ensure_ascii=False)
             for number, made in self._by_doc.items()],
            {"responses": [json.dumps([instance.resps for instance in made], ensure_ascii=False)
                           for made in self._by_doc.values()]},
            {"output_type": task.OUTPUT_TYPE, "num_fewshot": self._shots, "fewshot_seed": FEWSHOT_SEED,
             **({"generation": _jsonable(task.config.generation_kwargs, self._where)}
                if task.OUTPUT_TYPE == "generate_until" else {})},
        )  # fmt: skip

    def _values(self, number: int, made: Sequence[Any], kept: str) -> dict[str, Any]:
        where = f"{self._where}: example {number}"
        try:
            values = self._task.process_results(
                self._docs[number], [instance.filtered_resps[kept] for instance in made]
            )
        except Exception as error:
            raise HarnessError(f"{where} cannot be scored: {reason_of(error)}") from None
        return {f"{metric},{kept}": _jsonable(value, f"{where}, {metric}") for metric, value in values.items()}

    def _answer(self, made: Sequence[Any]) -> str:
        """The choice of the greatest log-likelihood, or the text that was written first."""
        first = made[0].resps[0]
        if isinstance(first, str):
            return first[:LONGEST_ANSWER]
        if len(made) == 1:
            return f"{first[0] if isinstance(first, tuple) else first:.4f}"
        best = max(made, key=lambda instance: float(instance.resps[0][0]))
        contexts = {instance.args[0] for instance in made}
        return str(best.args[1] if len(contexts) == 1 else best.args[0])[-LONGEST_ANSWER:].strip()


def _request(instance: Any, where: str) -> Request:
    kind, arguments = instance.request_type, instance.args
    if kind == "loglikelihood":
        return Likelihood(str(arguments[0]), str(arguments[1]))
    if kind == "loglikelihood_rolling":
        return TextLikelihood(str(arguments[0]))
    return _generation(str(arguments[0]), arguments[1], where)


def _generation(context: str, settings: Mapping[str, Any], where: str) -> Generation:
    """As lm_eval reads the settings: drawn where `do_sample` says so, or a temperature above 0 without it."""
    unknown_names = set(settings) - WRITING - set(MOST_TOKENS)
    if unknown_names:
        raise HarnessError(f"{where}: its generation_kwargs have {min(unknown_names)}, which is not known here")
    until = settings.get("until") or []
    temperature = float(settings.get("temperature") or 0.0)
    drawn = settings.get("do_sample")
    most = next((settings[name] for name in MOST_TOKENS if settings.get(name) is not None), TOKENS_WRITTEN)
    is_drawn = bool(temperature > 0 if drawn is None else drawn)
    return Generation(
        context=context,
        until=(until,) if isinstance(until, str) else tuple(until),
        max_new_tokens=int(most),
        num_beams=1 if is_drawn else int(settings.get("num_beams") or 1),
        do_sample=is_drawn,
        temperature=temperature if is_drawn and temperature > 0 else 1.0,
        top_k=int(settings.get("top_k") or 0) if is_drawn else 0,
        top_p=float(settings.get("top_p") or 1.0) if is_drawn else 1.0,
    )


def _jsonable(value: Any, where: str) -> Any:
    """A value as JSON has it: numbers of numpy as numbers, arrays and tuples as lists."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {str(key): _jsonable(inner, where) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_jsonable(inner, where) for inner in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    raise HarnessError(f"{where}: its value is {type(value).__name__}, which is not kept here")


def columns_of(spec: TaskSpec, limit: int | None) -> dict[str, list[Any]]:
    """The examples of a task, for its data source: what they ask, what pins them, and the right answers.

    Raises:
        HarnessError: an example that cannot be read.
    """
    task = load(spec)
    shots = noted_of(spec)["num_fewshot"]
    columns: dict[str, list[Any]] = {name: [] for name in ("text", "content", "target")}
    with quiet(), templates_kept():
        shown = hash_json([_content(doc) for doc in task.fewshot_docs() or ()]) if shots else ""
        for number, doc in task.doc_iterator(limit=limit):
            try:
                columns["text"].append(_text(task, doc))
                columns["target"].append(_target(task, doc))
            except Exception as error:
                raise HarnessError(f"task {spec.name}: example {number} cannot be read: {reason_of(error)}") from None
            columns["content"].append(hash_json([_content(doc), shown]))
    return columns


def _content(doc: Any) -> str:
    return json.dumps(doc, sort_keys=True, default=repr)


def _choices(task: Any, doc: Any) -> list[str]:
    return [] if task.config.doc_to_choice is None else [str(choice) for choice in task.doc_to_choice(doc)]


def _text(task: Any, doc: Any) -> str:
    """What an example asks, with the choices below it."""
    asked = task.doc_to_text(doc)
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        asked = task.doc_to_target(doc)
    parts = [asked] if isinstance(asked, str) and asked.strip() else []
    return "\n".join([*parts, *_choices(task, doc)]) or NO_TARGET


def _target(task: Any, doc: Any) -> list[str]:
    """The right answers, as texts; where choices are numbered, their texts."""
    if task.OUTPUT_TYPE == "loglikelihood_rolling":
        return [NO_TARGET]
    answers = task.doc_to_text(doc) if task.multiple_input else task.doc_to_target(doc)
    choices = _choices(task, doc)
    named = [
        choices[answer] if isinstance(answer, int) and 0 <= answer < len(choices) else str(answer)
        for answer in (answers if isinstance(answers, list | tuple) else [answers])
    ]
    return [text for text in named if text.strip()] or [NO_TARGET]
