"""Log-likelihoods of texts and of continuations, in nats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from harness.modeling.inference.batching import scoring_batches
from harness.modeling.inference.generate import cache_name, padded, places_of, start_of, takes

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel

TOKENS = {"cpu": 2048, "cuda": 32768}
"""Padded tokens of a batch."""


def of_continuations(
    model: PreTrainedModel,
    prompts: Sequence[Sequence[int]],
    continuations: Sequence[Sequence[Sequence[int]]],
    report: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """Log-likelihoods (n, k) of k continuations of each of n prompts.

    A prompt goes through the model once. Of an encoder–decoder it is the input, and a continuation the output.
    """
    import numpy as np
    import torch

    device = model.device
    result = np.zeros((len(prompts), len(continuations[0])), dtype=np.float64)
    longest = [len(prompt) + max(map(len, choices)) for prompt, choices in zip(prompts, continuations, strict=True)]
    score = _of_outputs if model.config.is_encoder_decoder else _of_prompts
    model.eval()
    done = 0
    with torch.inference_mode():
        for indices in scoring_batches(longest, TOKENS[device.type]):
            batch = [prompts[index] for index in indices]
            result[indices] = score(model, batch, [continuations[index] for index in indices])
            done += len(indices)
            report(done / len(prompts))
    return result


def _of_prompts(model: Any, prompts: list[Any], continuations: list[Any]) -> np.ndarray:
    """Prompts end at the right edge of the batch; continuations follow from the cache, one choice after the other."""
    import numpy as np
    import torch

    device = model.device
    ids, mask = (part.to(device) for part in padded(prompts, 0, left=True))
    positions = places_of(mask)
    extra = {"position_ids": positions} if takes(model, "position_ids") else {}
    output = model(input_ids=ids, attention_mask=mask, use_cache=True, **extra)
    first = output.logits[:, -1].float().log_softmax(-1)
    cache_of = cache_name(model)
    cache = output[cache_of]
    scores = np.zeros((len(prompts), len(continuations[0])))
    for choice in range(len(continuations[0])):
        rows = [choices[choice] for choices in continuations]
        targets, real = (part.to(device) for part in padded(rows, 0, left=False))
        total = first.gather(1, targets[:, :1])[:, 0]
        if targets.shape[1] > 1:
            # What predicts nothing, a row's last token and padding, stands at the place before: behind may be none.
            going = torch.cat([mask, real[:, 1:]], dim=1)
            extra = {"position_ids": places_of(going)[:, mask.shape[1] :]} if takes(model, "position_ids") else {}
            output = model(
                input_ids=targets[:, :-1], attention_mask=going, use_cache=True, **{cache_of: cache}, **extra
            )
            rest = output.logits.float().log_softmax(-1).gather(2, targets[:, 1:, None])[..., 0]
            total = total + (rest * real[:, 1:]).sum(1)
            cache = output[cache_of]
            cache.crop(1 - targets.shape[1])  # forget this choice again
        scores[:, choice] = total.double().cpu().numpy()
    return scores


def _of_outputs(model: Any, prompts: list[Any], continuations: list[Any]) -> np.ndarray:
    import numpy as np
    import torch

    device = model.device
    ids, mask = (part.to(device) for part in padded(prompts, 0, left=False))
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask)
    scores = np.zeros((len(prompts), len(continuations[0])))
    for choice in range(len(continuations[0])):
        targets, real = (part.to(device) for part in padded([c[choice] for c in continuations], 0, left=False))
        start = torch.full((len(prompts), 1), start_of(model), device=device)
        output = model(
            encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=torch.cat([start, targets[:, :-1]], dim=1)
        )
        each = output.logits.float().log_softmax(-1).gather(2, targets[..., None])[..., 0]
        scores[:, choice] = (each * real).sum(1).double().cpu().numpy()
    return scores


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
