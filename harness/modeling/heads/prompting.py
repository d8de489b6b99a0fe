"""Tasks as text: how an example is put to a model that reads and writes, what it should answer, and what that means."""

from __future__ import annotations

import string
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from harness.core.errors import HarnessError
from harness.core.families import FAMILIES
from harness.core.predictions import Predictions, Reading
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, read_of
from harness.modeling.weights.settings import PLAIN_SOURCE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


DELIMITER = " "
"""Between a prompt and its answer, as in lm-evaluation-harness."""

BETWEEN_SHOTS = "\n\n"

STEP = 0.2
"""Numbers are written to the nearest fifth, as in T5: 2.57 is "2.6" (Raffel et al. 2020, section 2.4)."""


def prompts(reader: EncodingContext, split: Split) -> list[str]:
    """n prompts. Raises HarnessError where the task has none, or names a field it lacks."""
    template = template_of(reader)
    fields = _fields_of(reader, template)
    for name in fields:
        if name not in split.fields:
            raise HarnessError(
                f"task {reader.task.name}: its prompt has {{{name}}}, but its fields are {', '.join(split.fields)}"
            )
    columns = [split.fields[name] for name in fields]
    return [template.format(**dict(zip(fields, row, strict=True))) for row in zip(*columns, strict=True)]


def words(task: TaskSpec, labels: tuple[str, ...], split: Split) -> Sequence[str]:
    """n prompts and n answers; of a task without a target its texts."""
    reader = EncodingContext(task, labels, tokenizer=cast(Any, None), max_length=0)
    if reader.family.target is None:
        return reader.family.words(split)
    return [*prompts(reader, split), *answers(reader, split)]


def prompt_of(task: TaskSpec) -> str | None:
    """How a model is asked: its own task's way, or its family's; None where neither has one. One that is trained to
    answer need not be told how.
    """
    trained = task.prompt_trained if task.shots is None else None
    return trained or task.prompt or FAMILIES.get(task.family).prompt


def template_of(reader: EncodingContext) -> str:
    """As `prompt_of`, or the text alone for a model that only translates or only summarizes. Raises HarnessError where
    there is none.
    """
    family = reader.family
    if reader.fitted.get(PLAIN_SOURCE) and family.in_words and len(family.required) == 1:
        return f"{{{family.required[0]}}}"
    template = prompt_of(reader.task)
    if template is None:
        raise HarnessError(f"task {reader.task.name}: it has no prompt to put it to a model that reads and writes text")
    return template


def _fields_of(reader: EncodingContext, template: str) -> list[str]:
    """The fields a template shows, each once. Raises HarnessError where it shows none, or its braces do not match."""
    try:
        fields = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
    except ValueError as error:
        raise HarnessError(f"task {reader.task.name}: its prompt {template!r}: {error}") from None
    if not fields:
        raise HarnessError(f"task {reader.task.name}: its prompt shows no field in braces, such as {{text}}")
    return list(dict.fromkeys(fields))


def fitting_prompts(reader: EncodingContext, split: Split, budget: Sequence[int] | int) -> tuple[list[str], int]:
    """n prompts of at most so many tokens each, and how many were too long.

    Of one that is, the longest field loses its end, so that what is around it, question and instructions, stays.

    Raises:
        HarnessError: the prompt alone, with that field empty, is longer than the budget.
    """
    texts = prompts(reader, split)
    budgets = [budget] * len(texts) if isinstance(budget, int) else budget
    sizes = [len(ids) for ids in reader.tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]
    too_long = [index for index, size in enumerate(sizes) if size > budgets[index]]
    for index in too_long:
        texts[index] = _shortened(
            reader, {name: column[index] for name, column in split.fields.items()}, budgets[index]
        )
    return texts, len(too_long)


def _shortened(reader: EncodingContext, fields: dict[str, str], budget: int) -> str:
    template, tokenizer = template_of(reader), reader.tokenizer
    longest = max(_fields_of(reader, template), key=lambda name: len(fields[name]))
    offsets = tokenizer(fields[longest], add_special_tokens=False, return_offsets_mapping=True, verbose=False)[
        "offset_mapping"
    ]
    times = template.count(f"{{{longest}}}")
    keep = len(offsets)
    while True:
        kept = fields[longest][: offsets[keep - 1][1]] if keep else ""
        text = template.format(**(fields | {longest: kept}))
        over = len(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]) - budget
        if over <= 0:
            return text
        if keep == 0:
            break
        keep = max(0, keep - max(1, over // max(1, times)))
    raise HarnessError(
        f"task {reader.task.name}: its prompt does not fit in {budget} tokens even without the {longest}; "
        "raise max_length"
    )


def verbalizers(reader: EncodingContext) -> list[str]:
    """The words that stand for the classes, in their order."""
    return [reader.task.verbalizers.get(label, label) for label in reader.labels]


def ranked_words(reader: EncodingContext, split: Split) -> list[list[str]]:
    """What may follow each of n prompts: the answers to choose from, or the words for the classes."""
    if reader.family.choices is not None:
        return [text.split("\n") for text in split.fields[reader.family.choices]]
    return [verbalizers(reader)] * len(split)


def answers(reader: EncodingContext, split: Split) -> list[str]:
    """n texts that a model is trained to write: the first reference, the word for the class, or the number."""
    labels: Any = split.labels
    assert labels is not None
    if reader.family.choices is not None:
        return [words[label] for words, label in zip(ranked_words(reader, split), labels, strict=True)]
    if reader.family.predictions == "labels":
        words = verbalizers(reader)
        return [words[label] for label in labels]
    if reader.family.predictions == "values":
        return [written_number(label) for label in labels]
    return [references[0] if references else NO_ANSWER for references in labels]


NO_ANSWER = "unanswerable"
"""What a model writes where a question has no answer."""


def written_number(value: float) -> str:
    return f"{round(value / STEP) * STEP:.1f}"


def read_number(text: str, default: float) -> float:
    """The number a model wrote, `default` where it wrote none."""
    try:
        value = float(text.strip())
    except ValueError:
        return default
    return value if value == value and abs(value) < 1e6 else default


def with_shots(reader: EncodingContext, prompt_texts: Sequence[str]) -> list[str]:
    """Prompts after the examples shown, each of these with its answer."""
    if reader.shots is None or not len(reader.shots):
        return list(prompt_texts)
    shown = [
        f"{prompt}{DELIMITER}{answer}"
        for prompt, answer in zip(prompts(reader, reader.shots), answers(reader, reader.shots), strict=True)
    ]
    before = BETWEEN_SHOTS.join(shown) + BETWEEN_SHOTS
    return [before + prompt for prompt in prompt_texts]


def start_of(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The token that a tokenizer puts before a text by itself, if it does (Llama's does, GPT-2's does not)."""
    first = list(tokenizer("a", verbose=False)["input_ids"])[:1]
    return first if first == [tokenizer.bos_token_id] else []


def beginnings(reader: EncodingContext, split: Split) -> tuple[list[str], list[str]]:
    """The first words of n texts, from which a free generation goes on, and the rest of them."""
    words = reader.task.decoding.prompt_words
    first, rest = [], []
    for text in split.fields["text"]:
        parts = text.split(" ")
        first.append(" ".join(parts[:words]))
        rest.append(" ".join(parts[words:]))
    return first, rest


def in_words(
    reader: EncodingContext, written: Sequence[Sequence[int]], cut: int, prompts: Sequence[Sequence[int]] = ()
) -> Predictions:
    """What token ids say: texts, or numbers where the task asks for them.

    A model that was only shown examples goes on with one of its own after an empty line: its answer ends there.
    """
    texts = reader.tokenizer.batch_decode([list(ids) for ids in written], skip_special_tokens=True)
    read = read_of(reader, prompts, len(prompts), cut)
    return as_answers(reader, texts, {"prompts_cut": cut}, {"tokens": [len(ids) for ids in written]}, read)


def as_answers(
    reader: EncodingContext,
    texts: Sequence[str],
    settings: Mapping[str, Any],
    columns: Mapping[str, Any],
    read: Reading | None = None,
) -> Predictions:
    """What written texts say, as `in_words` has it; `columns` are kept beside texts."""
    import numpy as np

    if reader.task.shots is not None and reader.family.target is not None:
        texts = [text.partition(BETWEEN_SHOTS)[0] for text in texts]
    texts = [text.strip() for text in texts]
    settings = {
        **reader.task.decoding.model_dump(exclude={"n_best", "max_answer_length", "doc_stride", "pseudo_likelihood"}),
        **settings,
    }
    if reader.family.predictions == "values":
        low, high = reader.task.label_range or (0.0, 0.0)
        values = np.asarray([read_number(text, (low + high) / 2) for text in texts])
        return Predictions(values, {"text": texts}, settings, read)
    if reader.family.extractive:
        texts = ["" if text == NO_ANSWER else text for text in texts]
    values = np.empty(len(texts), dtype=object)
    values[:] = texts
    return Predictions(values, columns, settings, read)


def check_choices(reader: EncodingContext, words: Sequence[str], choices: Sequence[Sequence[int]]) -> None:
    """Refuse words for classes that have no likelihood of their own after a prompt.

    Args:
        reader: The task and the tokenizer.
        words: The words, in the order of the classes.
        choices: The token ids that each adds to a prompt.

    Raises:
        HarnessError: a word adds no token, as where the prompt's last token spans the join; or more than are read.
    """
    for word, ids in zip(words, choices, strict=True):
        if not ids:
            raise HarnessError(
                f"task {reader.task.name}: the answer {word.strip()!r} adds no token to its prompt, so that it has no "
                "likelihood; give it other words in verbalizers, or end the prompt so that it does not run into them"
            )
        if len(ids) > reader.max_length:
            raise HarnessError(
                f"task {reader.task.name}: the answer {word.strip()[:40]!r} has {len(ids)} tokens, the model reads "
                f"{reader.max_length}; give shorter words in verbalizers"
            )


def add_end(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> list[int]:
    """With the token that ends a text, once. Raises HarnessError for a tokenizer that has none."""
    end = tokenizer.eos_token_id
    if not isinstance(end, int):
        raise HarnessError("a generative model needs a tokenizer with an end of text (kind: bytebpe or unigram)")
    return ids if ids and ids[-1] == end else [*ids, end]
