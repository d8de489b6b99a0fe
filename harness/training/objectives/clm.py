"""Causal language modelling (Radford et al. 2019): predict each token from those before it, in packed blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.inference.outputs import Outputs
from harness.modeling.weights.direction import reads_ahead
from harness.training.objectives.base import Batch, Objective, Ratios
from harness.training.objectives.reading import mean_of

if TYPE_CHECKING:
    import torch

linear_cross_entropy = lazy("harness.modeling.heads.linear_cross_entropy")


class CausalLM(Objective):
    perplexities = frozenset({"perplexity"})
    lower_is_better = frozenset({"perplexity", "bits_per_byte"})
    auto_class = "AutoModelForCausalLM"
    from_checkpoint = True
    causal = True

    @property
    def raw_size(self) -> int:
        """One more than the model reads: the last token is only predicted."""
        return self.block_size + 1

    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        return {"input_ids": blocks[:, :-1], "targets": blocks[:, 1:]}

    linear_head = False
    """Whether the model's logits are a linear layer's of its hidden states, so that the loss may take them in parts."""

    def try_out(self, model: Any) -> None:
        if reads_ahead(model):
            raise HarnessError(
                f"objective clm: {type(model).__name__} of this config sees the tokens it is to predict; it must read "
                "in one direction (is_decoder: true, where the model has that)"
            )
        self.linear_head = has_linear_head(model)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        targets = batch["targets"].flatten()
        if self.linear_head:
            hidden = model.base_model(input_ids=batch["input_ids"], use_cache=False).last_hidden_state
            head = model.get_output_embeddings()
            return linear_cross_entropy.linear_cross_entropy(hidden.flatten(0, 1), head.weight, head.bias, targets)
        scores = model(input_ids=batch["input_ids"], use_cache=False).logits
        return cross_entropy(scores.float().flatten(0, 1), targets)

    def outputs(self, model: Any, batch: Batch) -> Outputs:
        scores = model(input_ids=batch["input_ids"], use_cache=False).logits.float()
        return mean_of(scores.flatten(0, 1), batch["targets"].flatten())

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


def has_linear_head(model: Any) -> bool:
    """Whether nothing but the output embeddings stands between hidden states and logits: some models scale or cap them.

    Tried out on two tokens; random numbers and the model's mode stay as they were.
    """
    import torch

    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear:
        return False
    tokens, was_training = torch.arange(2).unsqueeze(0).to(model.device), model.training
    model.eval()
    with torch.no_grad():
        hidden = model.base_model(input_ids=tokens, use_cache=False).last_hidden_state
        same = torch.allclose(head(hidden), model(input_ids=tokens, use_cache=False).logits)
    model.train(was_training)
    return same


OBJECTIVE = CausalLM
