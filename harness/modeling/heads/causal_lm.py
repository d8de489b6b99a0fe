"""A decoder that goes on with text (Radford et al. 2019): with a prompt it answers, without one it models the text.

Trained, a prompt is followed by its answer, of which alone the loss is taken. Not trained on a task but shown examples,
it ranks the words for the classes by their likelihood after the prompt, as lm-evaluation-harness does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.predictions import Predictions
from harness.core.specs import TaskSpec
from harness.data.frame import Split
from harness.metrics.last_word import written
from harness.modeling.heads import library, pairs, prompting
from harness.modeling.heads.base import EncodingContext, Head, read_of
from harness.modeling.heads.multiple_choice import NEVER
from harness.modeling.heads.vocabulary_loss import summed, summed_loss
from harness.modeling.inference.batching import IGNORED, TokenizedDataset
from harness.modeling.inference.generate import generate
from harness.modeling.inference.likelihood import of_pairs, of_texts
from harness.modeling.inference.lossless import charge
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel


Report = Callable[[float], None]


class CausalLM(Head):
    name = "causal-lm"
    auto_class = "AutoModelForCausalLM"

    def words(self, task: TaskSpec, labels: tuple[str, ...], split: Split) -> Sequence[str]:
        return prompting.words(task, labels, split)

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        if reader.family.target is None:
            return _whole_texts(reader, split)
        longest = reader.max_length - _prompt_room(reader)
        endings = [_ids(reader, prompting.DELIMITER + answer)[:longest] for answer in prompting.answers(reader, split)]
        endings = [prompting.add_end(reader.tokenizer, ids) for ids in endings]
        start = prompting.start_of(reader.tokenizer)
        budgets = [reader.max_length - len(start) - len(ids) for ids in endings]
        texts, truncated = prompting.fitting_prompts(reader, split, budgets)
        rows, labels = [], []
        for text, ending in zip(texts, endings, strict=True):
            prompt = start + _ids(reader, text)
            rows.append(prompt + ending)
            labels.append([IGNORED] * len(prompt) + ending)
        return _encoded(rows, labels, truncated)

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        """Of the tokens that are answered, each predicted from all before it; the vocabulary is scored there alone."""
        labels = batch.pop("labels")[:, 1:]
        return summed(model, batch, labels, shifted=True, smoothing=reader.label_smoothing)

    def loss(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> torch.Tensor:
        labels = batch.pop("labels")[:, 1:]
        return summed_loss(model, batch, labels, shifted=True, smoothing=reader.label_smoothing)

    def targets(self, encoded: TokenizedDataset) -> float:
        rows = encoded.columns["labels"]
        return max(1.0, sum(sum(label != IGNORED for label in row[1:]) for row in rows) / len(rows))

    def predict(
        self, model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report = lambda fraction: None
    ) -> Predictions:
        kind = reader.family.predictions
        if kind == "outcomes":
            return library.outcomes(model, reader, split, report)
        if kind == "likelihoods":
            return _likelihoods(model, reader, split, report)
        if kind == "last-words":
            return _last_words(model, reader, split, report)
        if kind == "log-odds":
            return _pairs(model, reader, split, report)
        if kind == "labels":
            return _ranked(model, reader, split, report)
        if kind == "values":
            raise HarnessError(f"task {reader.task.name}: a causal LM has no way to a number without training a head")
        return _written(model, reader, split, report)


def _ids(reader: EncodingContext, text: str) -> list[int]:
    return list(reader.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])


def _prompt_room(reader: EncodingContext) -> int:
    """Tokens of a prompt that leave room for what is written, and at least half of those read at once."""
    return max(reader.max_length // 2, reader.max_length - reader.task.decoding.max_new_tokens)


def _encoded(rows: list[list[int]], labels: list[list[int]], truncated: int) -> TokenizedDataset:
    columns = {"input_ids": rows, "attention_mask": [[1] * len(row) for row in rows], "labels": labels}
    return TokenizedDataset(columns, [len(row) for row in rows], truncated)


def _start(reader: EncodingContext) -> int:
    """What stands before a text: the token that begins one, else the one that ends one."""
    start = reader.tokenizer.bos_token_id
    return start if isinstance(start, int) else prompting.add_end(reader.tokenizer, [])[0]


def _whole_texts(reader: EncodingContext, split: Split) -> TokenizedDataset:
    """Texts from the start token to the end token, cut into rows of at most `max_length` tokens.

    A row begins with the last token of the one before, so that every token is predicted once.
    """
    rows = []
    for text in split.fields["text"]:
        ids = [_start(reader), *prompting.add_end(reader.tokenizer, _ids(reader, text))]
        step = reader.max_length - 1
        rows += [ids[place : place + reader.max_length] for place in range(0, len(ids) - 1, step)]
    return _encoded(rows, [list(row) for row in rows], 0)


def _likelihoods(model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report) -> Predictions:
    """Of the text's own tokens after a start token, which is not counted even where the tokenizer adds it by itself.
    What the tokenizer loses of a text is charged.
    """
    import numpy as np

    written = split.fields["text"]
    texts = [_ids(reader, text) for text in written]
    decoded = reader.tokenizer.batch_decode(texts, clean_up_tokenization_spaces=False)
    lost = np.asarray([charge(text, back) for text, back in zip(written, decoded, strict=True)])
    values = of_texts(model, texts, _start(reader), reader.max_length, report) - lost
    read = read_of(reader, texts, len(texts), 0)
    settings: dict[str, Any] = {"window": reader.max_length}
    cautions = []
    if changed := int((lost > 0).sum()):
        settings |= {"charged_texts": changed, "charged_nats": float(lost.sum())}
        cautions.append(
            f"the tokenizer does not give {changed} of {len(texts)} texts back as they were (lower-casing, unknown "
            f"words or the like); what it loses is charged, {-lost.sum() / values.sum():.1%} of the nats"
        )
    return Predictions(values, {"tokens": [len(text) for text in texts]}, settings, read, tuple(cautions))


def _last_words(model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report) -> Predictions:
    """Of the tokens that the last word adds to all before it; a text that is too long loses its beginning."""
    import numpy as np

    before, words = [], []
    for text, name in zip(split.fields["text"], split.ids, strict=True):
        rest, _, word = text.rpartition(" ")
        if not rest.strip() or not word.strip():
            raise HarnessError(f"task {reader.task.name}: example {name} has no last word after others: {text[-40:]!r}")
        before.append(rest)
        words.append([prompting.DELIMITER + word])
    prompts, choices = _questions(reader, before, words)
    after = [row[0] for row in choices]
    cut = [len(prompt) + len(ids) - 1 > reader.max_length for prompt, ids in zip(prompts, after, strict=True)]
    kept = [prompt[-(reader.max_length + 1 - len(ids)) :] for prompt, ids in zip(prompts, after, strict=True)]
    scores, greedy = of_pairs(model, list(zip(kept, after, strict=True)), report)
    values = np.empty(len(split), dtype=object)
    values[:] = [written(min(0.0, float(score)), bool(flag)) for score, flag in zip(scores, greedy, strict=True)]
    read = read_of(reader, prompts, len(prompts), sum(cut))
    return Predictions(values, {"tokens": list(map(len, after))}, {"prompts_cut": sum(cut)}, read)


def _pairs(model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report) -> Predictions:
    """Sums over all tokens of each text after a start token, in float32 and without regard to length."""
    start = _start(reader)

    def encode(texts: Sequence[str]) -> list[tuple[int, ...]]:
        return [tuple(_ids(reader, text)) for text in texts]

    def likelihoods(rows: Sequence[tuple[int, ...]]) -> np.ndarray:
        return of_texts(model, rows, start, reader.max_length, report)

    settings = {"window": reader.max_length, "start": start}
    return pairs.compared(reader, split, encode, lambda row: row, likelihoods, settings)


def _ranked(model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report) -> Predictions:
    """The class whose word, or the choice whose text, is likeliest after the prompt; the log-likelihoods (n, labels)
    are the logits.
    """
    import numpy as np

    words = [[prompting.DELIMITER + word for word in row] for row in prompting.ranked_words(reader, split)]
    prompts, choices = _questions(reader, prompting.with_shots(reader, prompting.prompts(reader, split)), words)
    room = [reader.max_length + 1 - max(map(len, tokens)) for tokens in choices]
    cut = sum(len(prompt) > most for prompt, most in zip(prompts, room, strict=True))
    pairs = [
        (prompt[-(reader.max_length + 1 - len(ids)) :], ids)
        for prompt, tokens in zip(prompts, choices, strict=True)
        for ids in tokens
    ]
    nats = of_pairs(model, pairs, report, with_greedy=False)[0]
    scores = np.full((len(prompts), max(map(len, words))), NEVER)
    scores[np.arange(scores.shape[1]) < np.asarray(list(map(len, words)))[:, None]] = nats
    settings = {"ranking": "sum of log-likelihoods", "shots": reader.task.shots, "prompts_cut": cut}
    read = read_of(reader, prompts, len(prompts), cut)
    return Predictions(scores.argmax(axis=1), {"logits": scores.astype("float32")}, settings, read)


def _questions(
    reader: EncodingContext, texts: list[str], words: list[list[str]]
) -> tuple[list[list[int]], list[list[list[int]]]]:
    """Token ids of n prompts and of what each word adds to them. White space that ends a prompt begins the words: so
    they are cut into tokens as in running text.
    """
    start = prompting.start_of(reader.tokenizer)
    prompts, choices = [], []
    for text, row in zip(texts, words, strict=True):
        prompt = _ids(reader, text.rstrip())
        prompts.append(start + prompt or [_start(reader)])
        choices.append([_ids(reader, text + word)[len(prompt) :] for word in row])
        prompting.check_choices(reader, row, choices[-1])
    return prompts, choices


def _written(model: PreTrainedModel, reader: EncodingContext, split: Split, report: Report) -> Predictions:
    room = _prompt_room(reader)
    start = prompting.start_of(reader.tokenizer)
    if reader.family.target is None:
        beginnings = prompting.beginnings(reader, split)[0]
        prompts, cut = [[_start(reader), *_ids(reader, text)][:room] for text in beginnings], 0
    elif reader.task.shots is None:
        texts, cut = prompting.fitting_prompts(reader, split, room - len(start))
        prompts = [start + _ids(reader, text) for text in texts]
    else:
        texts = prompting.with_shots(reader, prompting.prompts(reader, split))
        whole = [start + _ids(reader, text) for text in texts]
        prompts, cut = [ids[-room:] for ids in whole], sum(len(ids) > room for ids in whole)
    written = generate(model, reader.tokenizer, prompts, reader.task.decoding, reader.seed, report)
    return prompting.in_words(reader, written, cut, prompts)


HEAD = CausalLM()
