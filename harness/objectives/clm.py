"""Causal language modelling (Radford et al. 2019): predict each token from those before it, in packed blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.objectives.base import Batch, Objective, Ratios

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig


class CausalLM(Objective):
    perplexities = frozenset({"perplexity"})
    lower_is_better = frozenset({"perplexity", "bits_per_byte"})

    @property
    def raw_size(self) -> int:
        """One more than the model reads: the last token is only predicted."""
        return self.block_size + 1

    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        return {"input_ids": blocks[:, :-1], "targets": blocks[:, 1:]}

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_config(config)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        scores = model(input_ids=batch["input_ids"], use_cache=False).logits
        return cross_entropy(scores.float().flatten(0, 1), batch["targets"].flatten())

    def measure(self, model: Any, batch: Batch) -> Ratios:
        """Perplexity counts tokens, so that it depends on the tokenizer; bits per byte do not."""
        from torch.nn.functional import cross_entropy

        scores = model(input_ids=batch["input_ids"], use_cache=False).logits.float()
        surprise = cross_entropy(scores.transpose(1, 2), batch["targets"], reduction="none").sum(1)
        nats = surprise.cpu().numpy().astype(float)
        written = self.tokens.bytes[batch["targets"].cpu().numpy()].sum(axis=1).astype(float)
        return {
            "bits_per_byte": (nats / math.log(2), written),
            "perplexity": (nats, np.full(len(nats), float(batch["targets"].shape[1]))),
        }


OBJECTIVE = CausalLM
