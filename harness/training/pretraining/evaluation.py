"""Scores of a pretrained model on held-out blocks. Imports torch: import it inside functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from harness.stats.bootstrap import wilson
from harness.training.objectives import Objective
from harness.training.pretraining.train_step import Losses

FEW_BLOCKS = 16
"""Held-out blocks for scores that take many passes a block."""
HELD_OUT_SEED = 1


@torch.no_grad()
def evaluate(
    losses: Losses, objective: Objective, blocks: np.ndarray, seed: int, batch_size: int
) -> dict[str, dict[str, Any]]:
    """Scores of held-out blocks, each with value, bootstrap 95 % interval over blocks, n, and what chance scores. Of a
    sharded model all processes must ask.
    """
    if len(blocks) == 0:
        return {}
    losses.eval()
    batch_size = len(blocks) if objective.whole_batch else batch_size
    device = next(losses.parameters()).device
    collected: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for start in range(0, len(blocks), batch_size):
        random = np.random.default_rng([seed, HELD_OUT_SEED, start])
        batch = objective.held_out(np.asarray(blocks[start : start + batch_size], dtype=np.int64), random)
        tensors = {name: torch.from_numpy(np.ascontiguousarray(rows)).to(device) for name, rows in batch.items()}
        for name, ratio in losses.measure(tensors).items():
            collected.setdefault(name, []).append(ratio)
    sums = {
        name: tuple(np.concatenate([part[place] for part in parts]) for place in (0, 1))
        for name, parts in collected.items()
    }
    few = np.asarray(blocks[:FEW_BLOCKS], dtype=np.int64)
    sums |= losses.measure_few(few)
    losses.release()
    return summarize(sums, objective)


def summarize(sums: dict[str, Any], objective: Objective, resamples: int = 1000) -> dict[str, dict[str, Any]]:
    """Quotients of sums with percentile bootstrap intervals over examples; a fraction of exactly 0 or 1, of which no
    sample differs, has Wilson's of so many examples.
    """
    scores: dict[str, dict[str, Any]] = {}
    over = "held-out blocks" if objective.unit == "tokens" else f"held-out {objective.unit}"
    for name, (above, below) in sums.items():
        n = len(above)
        draws = np.random.default_rng(0).integers(0, n, (resamples, n))

        def quotient(a: Any, b: Any, name: str = name) -> Any:
            value = np.divide(a, b, out=np.zeros_like(np.asarray(a, dtype=float)), where=np.asarray(b) > 0)
            return np.exp(np.minimum(value, 700)) if name in objective.perplexities else value

        low, high = np.quantile(quotient(above[draws].sum(1), below[draws].sum(1)), [0.025, 0.975])
        value = float(quotient(above.sum(), below.sum()))
        if value in (0.0, 1.0) and name not in objective.perplexities | objective.lower_is_better:
            low, high = wilson(round(value * n), n)
        scores[name] = {
            "value": value, "low": min(float(low), value), "high": max(float(high), value), "level": 0.95,
            "n": n, "over": over, "greater_is_better": name not in objective.lower_is_better,
        }  # fmt: skip
    for name, chance in objective.chance({name: score["value"] for name, score in scores.items()}).items():
        scores[name]["chance"] = chance
    return scores
