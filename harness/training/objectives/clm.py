"""Causal language modelling (Radford et al. 2019): predict each token from those before it, in packed blocks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.strict_spec import Strict
from harness.modeling.inference.outputs import Outputs
from harness.modeling.weights.direction import reads_ahead
from harness.training.objectives.base import Batch, Objective, Ratios
from harness.training.objectives.reading import mean_of

if TYPE_CHECKING:
    import torch

linear_cross_entropy = lazy("harness.modeling.heads.linear_cross_entropy")


class ClmOptions(Strict):
    """Blocks hold what of several documents fits. `together`: a token is predicted from all before it in its block;
    `apart`: from those of its own document, whose positions start anew, so that it is what it would be if its document
    stood alone.
    """

    documents: Literal["together", "apart"] = "together"


class CausalLM(Objective):
    Options = ClmOptions
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
        batch = {"input_ids": blocks[:, :-1], "targets": blocks[:, 1:]}
        if self.options.documents == "apart":
            batch["position_ids"] = self.positions(blocks[:, :-1])
        return batch

    def positions(self, rows: np.ndarray) -> np.ndarray:
        """Of tokens (n, length) in their documents. What ends one is where the next one starts, as position 0: its
        first token is predicted from that.
        """
        places = np.broadcast_to(np.arange(rows.shape[1]), rows.shape)
        return places - np.maximum.accumulate(np.where(rows == self.tokens.end, places, 0), axis=1)

    linear_head = False
    """Whether the model's logits are a linear layer's of its hidden states, so that the loss may take them in parts."""

    def try_out(self, model: Any) -> None:
        if reads_ahead(model):
            raise HarnessError(
                f"objective clm: {type(model).__name__} of this config sees the tokens it is to predict; it must read "
                "in one direction (is_decoder: true, where the model has that)"
            )
        if self.options.documents == "apart":
            self._try_apart(model)
        self.linear_head = has_linear_head(model)

    def _try_apart(self, model: Any) -> None:
        """Raises HarnessError where a token sees more than its document."""
        import torch

        end, words = self.tokens.end, np.flatnonzero(~self.tokens.special)[:2]
        rows = np.asarray([[end, *words, *words, end, *words[::-1], *words], [end, *words[::-1], *words, *[end] * 5]])
        rows[1, 5:] = rows[0, :5]
        ids, positions = (torch.from_numpy(value).to(model.device) for value in (rows, self.positions(rows)))
        was_training = model.training
        model.eval()
        try:
            with torch.no_grad():
                logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits
            apart = torch.allclose(logits[0, 5:], logits[1, :5], atol=1e-4)
        except TypeError:  # it takes no positions
            apart = False
        model.train(was_training)
        if not apart:
            raise HarnessError(
                f"objective clm: documents: apart: a {type(model).__name__} reads past the ends of documents; leave it "
                "out"
            )

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        targets = batch["targets"].flatten()
        if self.linear_head:
            hidden = model.base_model(**_inputs(batch), use_cache=False).last_hidden_state
            head = model.get_output_embeddings()
            return linear_cross_entropy.linear_cross_entropy(hidden.flatten(0, 1), head.weight, head.bias, targets)
        scores = model(**_inputs(batch), use_cache=False).logits
        return cross_entropy(scores.float().flatten(0, 1), targets)

    def outputs(self, model: Any, batch: Batch) -> Outputs:
        scores = model(**_inputs(batch), use_cache=False).logits.float()
        return mean_of(scores.flatten(0, 1), batch["targets"].flatten())

    def measure(self, model: Any, batch: Batch) -> Ratios:
        """Perplexity counts tokens, so that it depends on the tokenizer; bits per byte do not."""
        from torch.nn.functional import cross_entropy

        scores = model(**_inputs(batch), use_cache=False).logits.float()
        surprise = cross_entropy(scores.transpose(1, 2), batch["targets"], reduction="none").sum(1)
        nats = surprise.cpu().numpy().astype(float)
        written = self.tokens.bytes[batch["targets"].cpu().numpy()].sum(axis=1).astype(float)
        return {
            "bits_per_byte": (nats / math.log(2), written),
            "perplexity": (nats, np.full(len(nats), float(batch["targets"].shape[1]))),
        }


def _inputs(batch: Batch) -> dict[str, torch.Tensor]:
    return {name: batch[name] for name in ("input_ids", "position_ids") if name in batch}


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
