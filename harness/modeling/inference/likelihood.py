"""Log-likelihoods of texts and of continuations, in nats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.modeling.inference.batching import scoring_batches
from harness.modeling.inference.generate import cache_name, padded, places_of, start_of, takes

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel

TOKENS = {"cpu": 2048, "cuda": 32768}
"""Padded tokens of a batch."""


def of_continuations(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    report: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """Log-likelihoods (n, k) of k continuations of each of n prompts; see `likelihoods`."""
    return likelihoods(model, prompts, continuations, report)[0]


def likelihoods(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    report: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods (n, k) of k continuations of each of n prompts, and whether greedy decoding writes them.

    A prompt goes through the model once. Of an encoder–decoder it is the input, and a continuation the output.
    """
    import numpy as np
    import torch

    device = model.device
    if not model.config.is_encoder_decoder and is_stateful(model):
        pairs = [(prompt, after) for prompt, choices in zip(prompts, continuations, strict=True) for after in choices]
        nats, same = of_rows(model, pairs, report)
        return nats.reshape(len(prompts), -1), same.reshape(len(prompts), -1)
    result = np.zeros((len(prompts), len(continuations[0])), dtype=np.float64)
    greedy = np.zeros(result.shape, dtype=bool)
    longest = [len(prompt) + max(map(len, choices)) for prompt, choices in zip(prompts, continuations, strict=True)]
    score = _of_outputs if model.config.is_encoder_decoder else _of_prompts
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches(longest, TOKENS[device.type]):
            batch = [prompts[index] for index in indices]
            result[indices], greedy[indices] = score(model, batch, [continuations[index] for index in indices])
            done += len(indices)
            report(done / len(prompts))
    return result, greedy


def is_stateful(model: Any) -> bool:
    """Whether a model has no cache that can go back to the end of a prompt."""
    return bool(getattr(model, "_is_stateful", False))


Scores = tuple["np.ndarray", "np.ndarray"]
"""Log-likelihoods, and whether each is of what greedy decoding writes."""


def _of_prompts(model: Any, prompts: list[Any], continuations: list[Any]) -> Scores:
    """Prompts end at the right edge of the batch; continuations follow from the cache, one choice after the other."""
    import numpy as np
    import torch

    device = model.device
    ids, mask = (part.to(device) for part in padded(prompts, 0, left=True))
    positions = places_of(mask)
    extra = {"position_ids": positions} if takes(model, "position_ids") else {}
    last_only = {"logits_to_keep": 1} if takes(model, "logits_to_keep") else {}
    output = model(input_ids=ids, attention_mask=mask, use_cache=True, **last_only, **extra)
    first = output.logits[:, -1].float().log_softmax(-1)
    cache_of = cache_name(model)
    cache = output[cache_of]
    scores = np.zeros((len(prompts), len(continuations[0])))
    greedy = np.zeros(scores.shape, dtype=bool)
    for choice in range(len(continuations[0])):
        rows = [choices[choice] for choices in continuations]
        targets, real = (part.to(device) for part in padded(rows, 0, left=False))
        total = first.gather(1, targets[:, :1])[:, 0]
        is_greedy = first.argmax(-1) == targets[:, 0]
        if targets.shape[1] > 1:
            # What predicts nothing, a row's last token and padding, stands at the place before: behind may be none.
            going = torch.cat([mask, real[:, 1:]], dim=1)
            extra = {"position_ids": places_of(going)[:, mask.shape[1] :]} if takes(model, "position_ids") else {}
            output = model(
                input_ids=targets[:, :-1], attention_mask=going, use_cache=True, **{cache_of: cache}, **extra
            )
            following = output.logits.float().log_softmax(-1)
            rest = following.gather(2, targets[:, 1:, None])[..., 0]
            total = total + (rest * real[:, 1:]).sum(1)
            is_greedy &= _all_greedy(following, targets[:, 1:], real[:, 1:])
            cache = output[cache_of]
            cache.crop(1 - targets.shape[1])  # forget this choice again
        scores[:, choice], greedy[:, choice] = total.double().cpu().numpy(), is_greedy.cpu().numpy()
    return scores, greedy


def _all_greedy(scores: torch.Tensor, targets: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Whether the targets (b, t) that are real are the likeliest by scores (b, t, vocabulary)."""
    return ((scores.argmax(-1) == targets) | (real == 0)).all(1)


def _of_outputs(model: Any, prompts: list[Any], continuations: list[Any]) -> Scores:
    import numpy as np
    import torch

    device = model.device
    ids, mask = (part.to(device) for part in padded(prompts, 0, left=False))
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask)
    scores = np.zeros((len(prompts), len(continuations[0])))
    greedy = np.zeros(scores.shape, dtype=bool)
    for choice in range(len(continuations[0])):
        targets, real = (part.to(device) for part in padded([c[choice] for c in continuations], 0, left=False))
        start = torch.full((len(prompts), 1), start_of(model), device=device)
        output = model(
            encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=torch.cat([start, targets[:, :-1]], dim=1)
        )
        written = output.logits.float().log_softmax(-1)
        each = written.gather(2, targets[..., None])[..., 0]
        scores[:, choice] = (each * real).sum(1).double().cpu().numpy()
        greedy[:, choice] = _all_greedy(written, targets, real).cpu().numpy()
    return scores, greedy


def of_rows(
    model: PreTrainedModel,
    rows: Sequence[tuple[Sequence[int], Sequence[int]]],
    report: Callable[[float], None] = lambda fraction: None,
) -> Scores:
    """Log-likelihoods (n,) of n continuations, each after a context of its own, and whether greedy decoding writes
    them. A causal model reads both in one pass.
    """
    import numpy as np
    import torch

    device = model.device
    result, greedy = np.zeros(len(rows)), np.zeros(len(rows), dtype=bool)
    keeps = takes(model, "logits_to_keep")
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches([len(before) + len(after) for before, after in rows], TOKENS[device.type]):
            batch = [rows[index] for index in indices]
            ids, _ = padded([[*before, *after][:-1] for before, after in batch], 0, left=False)
            begins = [len(before) - 1 for before, _ in batch]
            skipped = min(begins) if keeps else 0
            kept = {"logits_to_keep": ids.shape[1] - skipped} if keeps else {}
            logits = model(input_ids=ids.to(device), use_cache=False, **kept).logits
            for row, index in enumerate(indices):
                after = torch.as_tensor(list(batch[row][1]), device=device)
                begin = begins[row] - skipped
                scores = logits[row, begin : begin + len(after)].float().log_softmax(-1)
                result[index] = float(scores.gather(1, after[:, None]).double().sum())
                greedy[index] = bool((scores.argmax(-1) == after).all())
            done += len(indices)
            report(done / len(rows))
    return result, greedy


def of_endings(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    endings: Sequence[Sequence[int]],
    report: Callable[[float], None] = lambda fraction: None,
) -> tuple[np.ndarray, np.ndarray]:
    """Log-likelihoods (n,) of an ending of each of n prompts, and whether all of its tokens are the likeliest."""
    import numpy as np
    import torch

    device = model.device
    scores, greedy = np.zeros(len(prompts)), np.zeros(len(prompts), dtype=bool)
    rows = [[*prompt, *ending][:-1] for prompt, ending in zip(prompts, endings, strict=True)]
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches(list(map(len, rows)), TOKENS[device.type]):
            ids, mask = (part.to(device) for part in padded([rows[index] for index in indices], 0, left=False))
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
            for row, index in enumerate(indices):
                first, ending = len(prompts[index]) - 1, torch.tensor(list(endings[index]), device=device)
                logs = logits[row, first : first + len(ending)].float().log_softmax(-1)
                scores[index] = float(logs.gather(1, ending[:, None]).double().sum())
                greedy[index] = bool((logs.argmax(-1) == ending).all())
            done += len(indices)
            report(done / len(prompts))
    return scores, greedy


def of_texts(
    model: PreTrainedModel,
    texts: Sequence[Sequence[int]],
    start: int,
    size: int,
    report: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """Log-likelihoods (n,) of whole texts after the token `start`, by windows of `size` tokens.

    Every token is predicted once: the rolling log-likelihood of lm-evaluation-harness.
    """
    import numpy as np
    import torch

    device = model.device
    windows = [(index, *window) for index, text in enumerate(texts) for window in rolling(len(text), size)]
    result = np.zeros(len(texts))
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches([end - begin for _, begin, _, end in windows], TOKENS[device.type]):
            batch = [windows[index] for index in indices]
            rows = [[start, *texts[index][: end - 1]][begin:end] for index, begin, _, end in batch]
            targets = [texts[index][begin:end] for index, begin, _, end in batch]
            ids, mask = (part.to(device) for part in padded(rows, 0, left=False))
            wanted = padded(targets, 0, left=False)[0].to(device)
            scores = model(input_ids=ids, attention_mask=mask, use_cache=False).logits.float()
            each = scores.log_softmax(-1).gather(2, wanted[..., None])[..., 0].double()
            for row, (index, begin, first, end) in enumerate(batch):
                result[index] += float(each[row, first - begin : end - begin].sum())
            done += len(indices)
            report(done / len(windows))
    return result


def rolling(length: int, size: int) -> list[tuple[int, int, int]]:
    """Windows over a text of `length` tokens: where each begins, the first token it predicts, and its end.

    A window predicts the `size` tokens that follow the one before; the last, if shorter, begins earlier, so that it
    too sees as much as fits.
    """
    ends = [*range(size, length, size), length] if length else []
    return [(max(0, end - size), first, end) for first, end in zip(range(0, length, size), ends, strict=True)]
