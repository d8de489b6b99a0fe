"""What `tests/benchmarks/gpu.py` measures of scoring: few-shot questions by the tree of their prompts, and plainly."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
import transformers
from torch.nn.functional import log_softmax

from harness.modeling.inference.batching import scoring_batches
from harness.modeling.inference.likelihood import of_pairs
from tests.benchmarks.gpu_parts import TINY, Gemm, Setting, in_turn, utilization, weights_in_use

LLAMA = {
    "hidden_size": 576, "num_hidden_layers": 30, "num_attention_heads": 9, "num_key_value_heads": 3,
    "intermediate_size": 1536,
}  # fmt: skip

Pairs = list[tuple[list[int], list[int]]]


def questions(setting: Setting, count: int, same_shots: bool) -> Pairs:
    """Four choices after each question, which stands behind five examples: the same for all, or others for each."""
    random = np.random.default_rng(0)
    most = 400 if setting.small else 50_257
    shown, asked = (30, 8) if setting.small else (400, 48)

    def tokens(length: int) -> list[int]:
        return random.integers(3, most, length).tolist()

    shots = tokens(shown)
    pairs = []
    for _ in range(count):
        context = (shots if same_shots else tokens(shown)) + tokens(int(random.integers(asked // 2, asked + 1)))
        pairs += [(context, tokens(int(random.integers(1, 7)))) for _ in range(4)]
    return pairs


def llama(setting: Setting, kind: torch.dtype) -> Any:
    torch.manual_seed(0)
    sizes = TINY if setting.small else LLAMA
    config = transformers.LlamaConfig(
        vocab_size=400 if setting.small else 50_257, max_position_embeddings=2048, tie_word_embeddings=True, **sizes
    )
    return transformers.AutoModelForCausalLM.from_config(config).to(setting.device, kind).eval()


@torch.inference_mode()
def one_request_a_row(model: Any, pairs: Sequence[tuple[list[int], list[int]]], budget: int) -> np.ndarray:
    """Log-likelihoods as they are plainly computed: each request whole, in batches of like lengths, all logits made,
    the softmax of those that are scored.
    """
    rows = [[*before, *after][:-1] for before, after in pairs]
    nats = np.zeros(len(pairs))
    for indices in scoring_batches(list(map(len, rows)), budget):
        width = max(len(rows[index]) for index in indices)
        ids = torch.tensor([rows[index] + [0] * (width - len(rows[index])) for index in indices]).to(model.device)
        seen = torch.tensor([[1] * len(rows[index]) + [0] * (width - len(rows[index])) for index in indices])
        logits = model(input_ids=ids, attention_mask=seen.to(model.device), use_cache=False).logits
        scored = [(place, len(pairs[index][0]) - 1, pairs[index][1]) for place, index in enumerate(indices)]
        places = torch.tensor([place * width + first + n for place, first, after in scored for n in range(len(after))])
        targets = torch.tensor([token for _, _, after in scored for token in after]).to(model.device)
        chosen = log_softmax(logits.flatten(0, 1)[places.to(model.device)].float(), -1).gather(1, targets[:, None])
        owners = [index for index, (_, _, after) in zip(indices, scored, strict=True) for _ in after]
        np.add.at(nats, owners, chosen.squeeze(1).double().cpu().numpy())
    return nats


def scoring(setting: Setting, gemm: Gemm) -> list[dict[str, Any]]:
    """Few-shot questions scored by the tree and plainly, in turn; log-likelihoods of both beside each other."""
    budgets = (64, 256) if setting.small else (16_384, 65_536)
    counts = {"fp32": 4 if setting.small else 50, "bf16": 4 if setting.small else 500}
    rows = []
    for precision, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        model = llama(setting, kind)
        weights = weights_in_use(model)
        for same_shots in (True, False):
            pairs = questions(setting, counts[precision], same_shots)
            tree = partial(of_pairs, model, pairs, with_greedy=False)
            trials = {
                budget: [setting.seconds(partial(one_request_a_row, model, pairs, budget)) for _ in range(2)][1]
                for budget in budgets
            }
            plain = partial(one_request_a_row, model, pairs, min(budgets, key=lambda budget: trials[budget]))
            (nats, _), tree_tokens = _counted(model, tree)
            plain_nats, plain_tokens = _counted(model, plain)
            shown = "the same 5 shown to all" if same_shots else "others shown to each"
            line = {
                "work": f"{len(pairs) // 4} questions of four choices, {shown}, Llama of {_millions(model)}",
                "precision": precision, "weights_in_use": weights, "requests": len(pairs),
                "nats_apart_at_most": float(np.abs(nats - plain_nats).max()),
            }  # fmt: skip
            for by, seconds in in_turn(setting, {"harness": tree, "one request a row": plain}).items():
                taken = statistics.median(seconds)
                tokens = tree_tokens if by == "harness" else plain_tokens
                used = utilization(setting, 2 * weights * tokens / taken, precision, gemm)
                facts = {"by": by, "requests_per_second": len(pairs) / taken, "tokens_read": tokens, "seconds": seconds}
                rows.append(line | facts | used)
    return rows


def _counted(model: Any, call: Callable[[], Any]) -> tuple[Any, int]:
    """What a call gives, and how many tokens the model reads in it, padding included."""
    read: list[int] = []
    hook = model.register_forward_pre_hook(
        lambda module, given, inputs: read.append(inputs["input_ids"].numel()), with_kwargs=True
    )
    try:
        return call(), sum(read)
    finally:
        hook.remove()


def _millions(model: Any) -> str:
    return f"{round(model.num_parameters() / 1e6)} M"
