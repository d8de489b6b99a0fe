"""What a checkpoint predicts for a text: fills of its masks, a continuation, an output text, or classes."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.decoding_spec import DecodingSpec
from harness.core.errors import HarnessError
from harness.core.text import quoted, shown
from harness.modeling.answering import answers, paired
from harness.modeling.checkpoint import ANSWER, CLASSIFY, CONTINUE, FILL, TAG, Checkpoint, Graph, load
from harness.modeling.inference.decoding_inputs import ends_of
from harness.modeling.inference.generate import settings_for
from harness.modeling.runtimes.torch_eager import unwrapped
from harness.modeling.tagging import tagged
from harness.modeling.weights.positions import positions_of

if TYPE_CHECKING:
    from torch import Tensor

MASKS = ("[MASK]", "<mask>")
"""Spellings of a mask that are understood beside the tokenizer's own."""

LOGITS_AT_ONCE = 2**26
"""Floats in the logits of a batch; 256 MB."""


@dataclass(frozen=True)
class EncodedText:
    """A text of n tokens as model inputs, each (1, n); `added` says which tokens the tokenizer put around it."""

    inputs: dict[str, Tensor]
    added: tuple[bool, ...]


def predict(
    folder: Path,
    texts: Sequence[str],
    top_k: int = 5,
    max_new_tokens: int = 20,
    with_logits: bool = False,
    allow_partial: bool = False,
    contexts: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """What the model in a save_pretrained folder predicts for each text, in float32 on the CPU, ready for JSON. A
    compressed one predicts in its own runtime, which `model` names.

    Each result has `text`, `kind`, `model` and, by kind:

    - fill-mask: `masks`, one a mask token, each with its `position` and `top`. A text without a mask has each token
      masked in turn: `positions`, with the token's own `rank`, `probability` and `log_probability` beside `top`, and
      `pseudo_log_likelihood` (their sum) and `pseudo_perplexity`.
    - text-generation, text2text-generation: `generated`, its `tokens`, why it `stopped` (`eos`, `max_new_tokens` or
      `positions`), and `top` of its first token. Greedy, by the rules of the checkpoint's `generation_config` (forced
      and suppressed tokens, penalties); its sampling and beams are not used.
    - text-classification: `top` classes, or the `value` of a regression.
    - question-answering: the `answer` to a text, which is a question, in its context (`contexts`: one for all, or as
      many), as a score has it; `top` answers with the sum of their logits, and `null_margin`, by how much that of no
      answer is above the best one's.

    - token-classification: the `entities` of a text, each with its `type`, `text`, `start`, `end` and the least
      `probability` of its words, and its `words` with their tags.

    `top` holds at most `top_k` choices with their probabilities, best first. `with_logits` puts the `logits` they come
    from beside it, (vocabulary,) or (classes,). Where the tokenizer has no token for a part of the text,
    `unknown_tokens` counts those that stand for it: what is said is then said of another text.

    Source: Salazar et al. 2020 (pseudo-log-likelihood).

    Raises:
        HarnessError: no such checkpoint, one without a head to predict with, a text that is empty or too long, or
            `top_k` or `max_new_tokens` out of range.
    """
    check_asked(texts, top_k, max_new_tokens)
    return predictions_of(load(folder, allow_partial), texts, top_k, max_new_tokens, with_logits, contexts)


def check_asked(texts: Sequence[str], top_k: int, max_new_tokens: int) -> None:
    """Raises HarnessError for an empty text or a number out of range."""
    if not texts:
        raise HarnessError("nothing to predict; give --text")
    for text in texts:
        if not text.strip():
            raise HarnessError(f"--text {quoted(text)}: it is empty; give some words")
    for flag, value in (("--top-k", top_k), ("--max-new-tokens", max_new_tokens)):
        if value < 1:
            raise HarnessError(f"{flag} {value}: must be at least 1")


def predictions_of(
    checkpoint: Checkpoint,
    texts: Sequence[str],
    top_k: int = 5,
    max_new_tokens: int = 20,
    with_logits: bool = False,
    contexts: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """What a loaded checkpoint predicts, as `predict` has it. Raises HarnessError as that does."""
    check_asked(texts, top_k, max_new_tokens)
    if checkpoint.kind == ANSWER:
        return _answered(checkpoint, texts, paired(texts, contexts), top_k, with_logits)
    if contexts:
        raise HarnessError(f"--context goes with a question answerer; model {checkpoint.name} does {checkpoint.kind}")
    if checkpoint.kind == TAG:
        return _tagged(checkpoint, texts, with_logits)
    import torch

    with torch.inference_mode():
        encoded = [_encode(checkpoint, text) for text in texts]
        return [
            {
                "text": text,
                "kind": checkpoint.kind,
                "model": {"architecture": checkpoint.architecture, **checkpoint.about},
                **_unknown(checkpoint, inputs.inputs["input_ids"][0].tolist()),
                **_predict(checkpoint, inputs, top_k, max_new_tokens, with_logits),
            }
            for text, inputs in zip(texts, encoded, strict=True)
        ]


def _answered(
    checkpoint: Checkpoint, texts: Sequence[str], contexts: Sequence[str], top_k: int, with_logits: bool
) -> list[dict[str, Any]]:
    if with_logits:
        raise HarnessError("--logits: an answer is a span, with two logits a token; `top` holds the sums of the best")
    ids = [[*checkpoint.tokenizer(*pair, verbose=False)["input_ids"]] for pair in zip(texts, contexts, strict=True)]
    return [
        {
            "text": text,
            "context": context,
            "kind": checkpoint.kind,
            "model": {"architecture": checkpoint.architecture, **checkpoint.about},
            **_unknown(checkpoint, encoded),
            **answer,
        }
        for text, context, encoded, answer in zip(
            texts, contexts, ids, answers(checkpoint, texts, contexts, top_k), strict=True
        )
    ]


def _tagged(checkpoint: Checkpoint, texts: Sequence[str], with_logits: bool) -> list[dict[str, Any]]:
    if with_logits:
        raise HarnessError(
            "--logits: a tagger has those of every word; `words` holds the probability of each tag given"
        )
    return [
        {
            "text": text,
            "kind": checkpoint.kind,
            "model": {"architecture": checkpoint.architecture, **checkpoint.about},
            **_unknown(checkpoint, [*checkpoint.tokenizer(text, verbose=False)["input_ids"]]),
            **answer,
        }
        for text, answer in zip(texts, tagged(checkpoint, texts), strict=True)
    ]


def _unknown(checkpoint: Checkpoint, ids: list[int]) -> dict[str, int]:
    count = ids.count(checkpoint.tokenizer.unk_token_id)
    return {"unknown_tokens": count} if count else {}


def _encode(checkpoint: Checkpoint, text: str) -> EncodedText:
    import torch

    tokenizer, model, kind = checkpoint.tokenizer, checkpoint.model, checkpoint.kind
    spelled = text
    if kind == FILL:
        if tokenizer.mask_token is None:
            raise HarnessError(f"model {checkpoint.name}: its tokenizer has no mask token")
        for mask in MASKS:
            spelled = spelled.replace(mask, tokenizer.mask_token)
    row = tokenizer(spelled, return_special_tokens_mask=True, verbose=False)
    added = [bool(flag) for flag in row.pop("special_tokens_mask")]
    if kind == CONTINUE:
        while added and added[-1]:  # an end of text: what follows it would not continue the text
            added.pop()
    length = len(added)
    if all(added):
        raise HarnessError(f"--text {shown(text)}: it has no tokens; give some words")
    limit = positions_of(model, "decoder" if kind == CONTINUE else "encoder")
    if limit is not None and length > limit:
        raise HarnessError(
            f"--text {shown(text)}: {length} tokens, but {checkpoint.architecture} reads at most {limit}; shorten it"
        )
    vocabulary = getattr(model.get_input_embeddings(), "num_embeddings", None)
    if vocabulary is not None and max(row["input_ids"]) >= vocabulary:
        raise HarnessError(
            f"model {checkpoint.name}: its tokenizer is another model's: it gives id {max(row['input_ids'])}, "
            f"the model knows {vocabulary}"
        )
    known = {"input_ids", "attention_mask"}
    if kind in (FILL, CLASSIFY):
        known |= _read_by(model) or set(row)
    return EncodedText(
        {name: torch.tensor([ids[:length]], device=model.device) for name, ids in row.items() if name in known},
        tuple(added),
    )


def _read_by(model: Any) -> set[str]:
    """Names of a model's inputs; none of a graph, which leaves out what it does not read."""
    if isinstance(model, Graph):
        return set()
    return set(inspect.signature(unwrapped(model).forward).parameters)


def _predict(
    checkpoint: Checkpoint, encoded: EncodedText, top_k: int, max_new_tokens: int, with_logits: bool
) -> dict[str, Any]:
    def choices(logits: Tensor) -> dict[str, Any]:
        return _choices(checkpoint, logits, top_k) | ({"logits": logits.tolist()} if with_logits else {})

    if checkpoint.kind == FILL:
        at = (encoded.inputs["input_ids"][0] == checkpoint.tokenizer.mask_token_id).nonzero().flatten()
        if not len(at):
            return _score_tokens(checkpoint, encoded, choices)
        logits = checkpoint.model(**encoded.inputs).logits[0, at]
        return {
            "masks": [{"position": int(position), **choices(row)} for position, row in zip(at, logits, strict=True)]
        }
    if checkpoint.kind == CLASSIFY:
        logits = checkpoint.model(**encoded.inputs).logits[0]
        return _classify(checkpoint, logits, top_k) | ({"logits": logits.tolist()} if with_logits else {})
    return _generate(checkpoint, encoded, max_new_tokens, choices)


def _score_tokens(
    checkpoint: Checkpoint, encoded: EncodedText, choices: Callable[[Tensor], dict[str, Any]]
) -> dict[str, Any]:
    """Each token of the text judged by the model that does not see it."""
    import torch

    positions = [position for position, added in enumerate(encoded.added) if not added]
    ids = encoded.inputs["input_ids"][0]
    rows = []
    for position, logits in zip(positions, _masked_in_turn(checkpoint, encoded.inputs, positions), strict=True):
        token_id = int(ids[position])
        log_probability = float(logits.double().log_softmax(-1)[token_id])
        rows.append(
            {
                "position": position,
                **_token(checkpoint, token_id),
                "rank": int((logits > logits[token_id]).sum()) + 1,
                "probability": math.exp(log_probability),
                "log_probability": log_probability,
                **choices(logits),
            }
        )
    total = torch.tensor([row["log_probability"] for row in rows], dtype=torch.float64).sum()
    perplexity = (-total / len(rows)).exp()
    return {"positions": rows, "pseudo_log_likelihood": float(total), "pseudo_perplexity": float(perplexity)}


def _masked_in_turn(checkpoint: Checkpoint, inputs: dict[str, Tensor], positions: Sequence[int]) -> Iterator[Tensor]:
    """The logits (vocabulary,) at each position of a text (1, n) in which that position is masked."""
    import torch

    ids = inputs["input_ids"]
    vocabulary = checkpoint.model.config.get_text_config().vocab_size
    size = max(1, LOGITS_AT_ONCE // (ids.shape[1] * vocabulary))
    for start in range(0, len(positions), size):
        at = torch.tensor(positions[start : start + size])
        rows = torch.arange(len(at))
        batch = {name: values.repeat(len(at), 1) for name, values in inputs.items()}
        batch["input_ids"][rows, at] = checkpoint.tokenizer.mask_token_id
        yield from checkpoint.model(**batch).logits[rows, at]


def _generate(
    checkpoint: Checkpoint, encoded: EncodedText, max_new_tokens: int, choices: Callable[[Tensor], dict[str, Any]]
) -> dict[str, Any]:
    """Greedy text: each token the likeliest after those before it."""
    import torch

    model, tokenizer = checkpoint.model, checkpoint.tokenizer
    length = encoded.inputs["input_ids"].shape[1]
    room = positions_of(model, "decoder")
    if room is not None and checkpoint.kind == CONTINUE:
        room = room - length + 1
    limit = max_new_tokens if room is None else min(max_new_tokens, room)

    ends = ends_of(model, tokenizer)
    settings = settings_for(model, tokenizer, DecodingSpec().model_copy(update={"max_new_tokens": limit}))
    settings.return_dict_in_generate = settings.output_logits = True
    model.generation_config = settings  # generate() takes from it whatever the settings leave open
    output = model.generate(**encoded.inputs, generation_config=settings)
    logits = torch.cat(output.logits)
    ids = output.sequences[0, -len(logits) :].tolist()
    probabilities = logits.double().softmax(-1)[range(len(ids)), ids].tolist()
    stopped = "eos" if ids[-1] in ends else "max_new_tokens" if limit == max_new_tokens else "positions"
    before = encoded.inputs["input_ids"][0].tolist() if checkpoint.kind == CONTINUE else []
    return {
        "generated": _written(tokenizer, before, ids),
        "tokens": [
            {**_token(checkpoint, token), "probability": probability}
            for token, probability in zip(ids, probabilities, strict=True)
        ],
        "stopped": stopped,
        **choices(logits[0]),
    }


def _written(tokenizer: Any, before: list[int], ids: list[int]) -> str:
    """New tokens as text. Decoded alone they would lose the space, or the word, that joins them to those before."""
    known = tokenizer.decode(before, skip_special_tokens=True) if before else ""
    whole = tokenizer.decode([*before, *ids], skip_special_tokens=True)
    return whole[len(known) :] if whole.startswith(known) else tokenizer.decode(ids, skip_special_tokens=True)


def _classify(checkpoint: Checkpoint, logits: Tensor, top_k: int) -> dict[str, Any]:
    """Classes with their probabilities, each on its own where a text can have several; the value of a regression."""
    config = checkpoint.model.config
    _refuse_nan(checkpoint, logits)
    if len(logits) == 1 or config.problem_type == "regression":
        return {"value": float(logits[0])}
    several = config.problem_type == "multi_label_classification"
    probabilities = logits.double().sigmoid() if several else logits.double().softmax(-1)
    top = probabilities.topk(min(top_k, len(logits)))
    return {
        "top": [
            {"id": label, "label": config.id2label[label], "probability": probability}
            for label, probability in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]
    }


def _choices(checkpoint: Checkpoint, logits: Tensor, top_k: int) -> dict[str, Any]:
    """The `top_k` likeliest tokens by logits (vocabulary,)."""
    if top_k > len(logits):
        raise HarnessError(f"--top-k {top_k}: the vocabulary of {checkpoint.name} has {len(logits)} entries")
    _refuse_nan(checkpoint, logits)
    top = logits.double().softmax(-1).topk(top_k)
    return {
        "top": [
            {**_token(checkpoint, token), "probability": probability}
            for token, probability in zip(top.indices.tolist(), top.values.tolist(), strict=True)
        ]
    }


def _refuse_nan(checkpoint: Checkpoint, logits: Tensor) -> None:
    if logits.isnan().any():
        raise HarnessError(f"model {checkpoint.name}: it predicts NaN; its weights are damaged")


def _token(checkpoint: Checkpoint, token: int) -> dict[str, Any]:
    """A token's id and its text: a piece of a word keeps its `##`, a word that follows a space keeps the space."""
    piece = checkpoint.tokenizer.convert_ids_to_tokens(token) or ""
    text = checkpoint.tokenizer.decode([token])
    if piece.startswith("▁") and not text.startswith(" "):  # SentencePiece's space, dropped where a text begins
        text = f" {text}"
    return {"id": token, "token": text}
