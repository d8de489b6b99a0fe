"""Token order: some tokens of a block are masked and shuffled, and are to be put back.

Of a fraction of the positions, those with equal tokens are dropped, so that m different tokens remain. They are
masked and permuted at random, and for each of the m tokens the model points, by a softmax over those m slots alone,
to the one it came from: the token's embedding against what the encoder makes of the slots. A guess is right once in
m. The pointer is that of Vinyals et al. 2015.

It reads a slot with the two positions beside it (`reading.beside`): of the masked slots alone bert-tiny had learned
nothing after 1,000 steps.

With `masked: false` the slots show the shuffled tokens, as the permuted input of Cui et al. 2022 (PERT) but for single
tokens in place of n-grams.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.training.objectives.base import Batch, EncoderOptions, Objective, Ratios, laid_out
from harness.training.objectives.mlm import choose
from harness.training.objectives.reading import at, beside, hidden_states, transform

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel


class OrderOptions(EncoderOptions):
    """`rate` of the tokens may change places; `masked`: their slots show the mask, else the shuffled tokens."""

    rate: float = Field(default=0.15, gt=0, le=1)
    masked: bool = True


class TokenOrder(Objective):
    Options = OrderOptions
    tokenizers = ("wordpiece",)
    lower_is_better = frozenset({"order_loss"})

    def prepare(self) -> None:
        self.slots = round(self.options.rate * self.block_size)
        if self.slots < 2:
            raise HarnessError(
                f"objective token-order: rate {self.options.rate:g} leaves {self.slots} of {self.block_size} tokens to "
                "permute; give a higher rate or longer blocks"
            )

    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        """`positions` (n, slots) of the slots, `shuffled` (n, slots) the tokens, `valid` (n, slots) false where equal
        tokens left fewer, and `targets` (n, slots): the slot that each of the shuffled tokens came from.
        """
        rows, segments = laid_out(blocks, self.tokens, self.block_size, self.options.pairs, random)
        chosen = choose(rows, self.slots, self.tokens, random)
        inputs = rows.copy()
        positions = np.zeros_like(chosen)
        valid = np.zeros(chosen.shape, dtype=bool)
        shuffled, targets = np.zeros_like(chosen), np.zeros_like(chosen)
        for row, places in enumerate(chosen):
            there = rows[row, places]
            different, first = np.unique(np.where(self.tokens.special[there], -1, there), return_index=True)
            slots = np.sort(places[first[different >= 0]])
            origin = random.permutation(len(slots))
            moved = rows[row, slots[origin]]
            shuffled[row, : len(slots)] = moved
            inputs[row, slots] = self.tokens.mask if self.options.masked else moved
            positions[row, : len(slots)] = slots
            valid[row, : len(slots)] = True
            targets[row, : len(slots)] = origin
        return {
            "input_ids": inputs, "token_type_ids": segments, "positions": positions, "shuffled": shuffled,
            "valid": valid, "targets": targets,
        }  # fmt: skip

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        return pointer_model(config)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        return self._surprise(self._scores(model, batch), batch).mean()

    def _scores(self, model: Any, batch: Batch) -> torch.Tensor:
        given = ("input_ids", "token_type_ids", "positions", "shuffled", "valid")
        return model(*(batch[name] for name in given))

    def _surprise(self, scores: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Mean negative log-likelihood of an example's slots, (b,)."""
        from torch.nn.functional import cross_entropy

        each = cross_entropy(scores.float().transpose(1, 2), batch["targets"], reduction="none")
        return (each * batch["valid"]).sum(1) / batch["valid"].sum(1).clamp(min=1)

    def measure(self, model: Any, batch: Batch) -> Ratios:
        """Accuracy of the slots, and Kendall's τ between the order told and the true one, averaged over examples."""
        from scipy.stats import kendalltau

        scores = self._scores(model, batch)
        predicted = scores.argmax(-1).cpu().numpy()
        targets, valid = batch["targets"].cpu().numpy(), batch["valid"].cpu().numpy()
        size = valid.sum(axis=1).astype(float)
        taus = [kendalltau(a[ok], b[ok]).statistic for a, b, ok in zip(predicted, targets, valid, strict=True)]
        weights = np.ones(len(predicted))
        return {
            "order_accuracy": (((predicted == targets) & valid).sum(axis=1).astype(float), size),
            "order_tau": (np.nan_to_num(np.asarray(taus, dtype=float)), weights),
            "order_loss": (self._surprise(scores, batch).cpu().numpy().astype(float), weights),
            "slots": (size, weights),
        }

    def chance(self, scores: Mapping[str, float]) -> dict[str, float]:
        slots = scores["slots"]
        return {"order_accuracy": 1 / slots, "order_tau": 0.0, "order_loss": math.log(slots)}

    def export(self, model: Any) -> PreTrainedModel:
        return model.encoder


def pointer_model(config: PretrainedConfig) -> torch.nn.Module:
    """An encoder with a pointer: the embedding of each shuffled token against every slot and its two neighbours,
    transformed as by BERT's head of masked LM.
    """
    import torch
    from transformers import AutoModelForMaskedLM

    class Pointer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = AutoModelForMaskedLM.from_config(config).base_model
            words = self.encoder.get_input_embeddings().weight.shape[1]
            self.transform = transform(self.encoder.config.hidden_size, words)

        def forward(
            self,
            input_ids: torch.Tensor,
            segments: torch.Tensor,
            positions: torch.Tensor,
            shuffled: torch.Tensor,
            valid: torch.Tensor,
        ) -> torch.Tensor:
            hidden = hidden_states(self.encoder, input_ids, segments)
            words = self.encoder.get_input_embeddings()(shuffled)
            scores = words @ self.transform(at(beside(hidden), positions)).transpose(1, 2)
            return scores.float().masked_fill(~valid.unsqueeze(1), -1e9)

    return Pointer()


OBJECTIVE = TokenOrder
