"""Masked language modelling (Devlin et al. 2019): predict the tokens that were masked, from both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.modeling.inference.outputs import Outputs
from harness.training.objectives.base import Batch, EncoderOptions, Objective, Ratios, Tokens, laid_out
from harness.training.objectives.reading import at, encoder_inputs, hidden_states, mean_of

if TYPE_CHECKING:
    import torch

FRACTION_MASKED, FRACTION_RANDOM = 0.8, 0.1
"""Of the chosen tokens so many become the mask, so many a random token; the rest stay. Devlin et al. 2019, A.1."""


class MlmOptions(EncoderOptions):
    """`rate` of the tokens are chosen; with `whole_word` all pieces of a word together."""

    rate: float = Field(default=0.15, gt=0, lt=1)
    whole_word: bool = False


class MaskedLM(Objective):
    Options = MlmOptions
    auto_class = "AutoModelForMaskedLM"
    from_checkpoint = True
    tokenizers = ("wordpiece",)
    perplexities = frozenset({"masked_perplexity", "pseudo_perplexity"})
    lower_is_better = perplexities

    def prepare(self) -> None:
        self._need("mask")
        self.chosen = max(1, round(self.options.rate * self.block_size))
        self.text_ids = np.flatnonzero(~self.tokens.special)
        if len(self.text_ids) == 0:
            raise HarnessError("objective mlm: the vocabulary has no text tokens")

    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        rows, segments = laid_out(blocks, self.tokens, self.block_size, self.options.pairs, random)
        positions = choose(rows, self.chosen, self.tokens, random, self.options.whole_word)
        targets = np.take_along_axis(rows, positions, axis=1)
        inputs = rows.copy()
        np.put_along_axis(inputs, positions, self.replaced(targets, random), axis=1)
        return {"input_ids": inputs, "token_type_ids": segments, "positions": positions, "targets": targets}

    def replaced(self, targets: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """What stands in the place of the chosen tokens: mask, random token or the token itself, 80/10/10."""
        draw = random.random(targets.shape)
        unknown_names = self.text_ids[random.integers(0, len(self.text_ids), targets.shape)]
        kept_or_random = np.where(draw < FRACTION_MASKED + FRACTION_RANDOM, unknown_names, targets)
        return np.where(draw < FRACTION_MASKED, self._need("mask"), kept_or_random)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        from torch.nn.functional import cross_entropy

        scores = logits_at(model, batch["input_ids"], batch["token_type_ids"], batch["positions"])
        return cross_entropy(scores.float().flatten(0, 1), batch["targets"].flatten())

    def outputs(self, model: Any, batch: Batch) -> Outputs:
        scores = logits_at(model, batch["input_ids"], batch["token_type_ids"], batch["positions"]).float()
        return mean_of(scores.flatten(0, 1), batch["targets"].flatten())

    def measure(self, model: Any, batch: Batch) -> Ratios:
        from torch.nn.functional import cross_entropy

        scores = logits_at(model, batch["input_ids"], batch["token_type_ids"], batch["positions"]).float()
        surprise = cross_entropy(scores.transpose(1, 2), batch["targets"], reduction="none").sum(1)
        right = (scores.argmax(-1) == batch["targets"]).sum(1)
        count = np.full(len(scores), float(batch["targets"].shape[1]))
        return {
            "masked_accuracy": (right.cpu().numpy().astype(float), count),
            "masked_perplexity": (surprise.cpu().numpy().astype(float), count),
        }

    def measure_few(self, model: Any, blocks: np.ndarray) -> Ratios:
        """Pseudo-perplexity: each token masked in turn, all others seen (Salazar et al. 2020)."""
        import torch

        device = next(model.parameters()).device
        nats, count = [], []
        rows, _ = laid_out(blocks, self.tokens, self.block_size, 0.0, np.random.default_rng(0))
        for row in rows:
            positions = np.flatnonzero(~self.tokens.special[row])[:, None]
            inputs = np.repeat(row[None], len(positions), axis=0)
            np.put_along_axis(inputs, positions, self._need("mask"), axis=1)
            masked, at = torch.from_numpy(inputs).to(device), torch.from_numpy(positions).to(device)
            scores = logits_at(model, masked, torch.zeros_like(masked), at)
            token_ids = torch.from_numpy(row[positions]).to(device)
            nats.append(-scores.float().log_softmax(-1).squeeze(1).gather(1, token_ids).sum().item())
            count.append(float(len(positions)))
        return {"pseudo_perplexity": (np.asarray(nats), np.asarray(count))}


def choose(
    rows: np.ndarray, count: int, tokens: Tokens, random: np.random.Generator, whole_word: bool = False
) -> np.ndarray:
    """Positions (n, count), in order, of tokens to predict: never special ones unless a row has too few others.

    With `whole_word`, words are taken whole, in random order, until `count` is reached; the last may be cut.
    """
    keys = random.random(rows.shape)
    if whole_word:
        word = np.cumsum(~tokens.inside[rows], axis=1) - 1
        keys = np.take_along_axis(keys, np.maximum(word, 0), axis=1) + np.arange(rows.shape[1]) * 1e-12
    keys = keys + tokens.special[rows]
    return np.sort(np.argpartition(keys, count - 1, axis=1)[:, :count], axis=1)


def logits_at(model: Any, input_ids: torch.Tensor, segments: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """Logits (b, k, vocabulary) at positions (b, k) alone: the head is the dearest layer of a small model."""
    head = head_of(model)
    if head is None:
        return at(model(**encoder_inputs(model, input_ids, segments)).logits, positions)
    return head(at(hidden_states(model.base_model, input_ids, segments), positions))


def head_of(model: Any) -> Any:
    """What maps hidden states to logits, by the names `transformers` gives it; None for a layout unknown here."""
    if hasattr(model, "cls"):
        return model.cls
    if hasattr(model, "decoder") and hasattr(model, "head"):
        return lambda hidden: model.decoder(model.head(hidden))
    if hasattr(model, "generator_predictions"):
        return lambda hidden: model.generator_lm_head(model.generator_predictions(hidden))
    return getattr(model, "lm_head", None)


OBJECTIVE = MaskedLM
