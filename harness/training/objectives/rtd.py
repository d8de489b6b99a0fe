"""Replaced-token detection (Clark et al. 2020, ELECTRA): a generator fills masks, the model finds what is not original.

The generator has fewer layers and shares the embeddings; only the discriminator is kept. What it fills in is drawn by
uniform numbers that come with the batch: with torch's own draws, a loss would depend on how a batch is shared out.

Both heads, which are not kept, read a position with the two beside it (`reading.beside`). With ELECTRA's own, which
read the position alone, bert-tiny had learned nothing after 1,600 steps: the generator guessed by the frequencies of
words, and the discriminator found none of the replaced tokens.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from harness.training.objectives.base import Batch, Ratios
from harness.training.objectives.mlm import MaskedLM, MlmOptions
from harness.training.objectives.reading import at, beside, hidden_states, transform

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel


class RtdOptions(MlmOptions):
    """The generator has `generator_layers`; the detection loss weighs `weight` (λ, 50 in the paper) times its own."""

    generator_layers: int = Field(default=1, ge=1)
    weight: float = Field(default=50.0, gt=0)


class ReplacedTokenDetection(MaskedLM):
    from_checkpoint = False
    Options = RtdOptions
    perplexities = frozenset({"generator_perplexity"})
    lower_is_better = perplexities

    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        """As of masked LM, and `draws` (n, chosen) in [0, 1), which choose among the generator's guesses."""
        batch = super().corrupt(blocks, random)
        return batch | {"draws": random.random(batch["positions"].shape)}

    def replaced(self, targets: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """ELECTRA's generator always sees the mask."""
        return np.full_like(targets, self._need("mask"))

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        return detector(config, self.options.generator_layers)

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

        guesses, _, is_replaced, scores = model(batch)
        generation = cross_entropy(guesses.float().flatten(0, 1), batch["targets"].flatten())
        detection = binary_cross_entropy_with_logits(scores.float(), is_replaced.float())
        return generation + self.options.weight * detection

    def measure(self, model: Any, batch: Batch) -> Ratios:
        """Recall and precision are of replaced tokens; where the generator guessed right, nothing was replaced."""
        from torch.nn.functional import cross_entropy

        guesses, _, is_replaced, scores = model(batch)
        detected = (scores > 0).cpu().numpy()
        true = is_replaced.cpu().numpy()
        nats = cross_entropy(guesses.float().transpose(1, 2), batch["targets"], reduction="none").sum(1).cpu().numpy()
        size = np.full(len(true), float(true.shape[1]))
        hits = (detected & true).sum(axis=1).astype(float)
        return {
            "detection_accuracy": ((detected == true).sum(axis=1).astype(float), size),
            "detection_recall": (hits, true.sum(axis=1).astype(float)),
            "detection_precision": (hits, detected.sum(axis=1).astype(float)),
            "replaced_share": (true.sum(axis=1).astype(float), size),
            "generator_perplexity": (nats.astype(float), np.full(len(nats), float(batch["targets"].shape[1]))),
        }

    def measure_few(self, model: Any, blocks: np.ndarray) -> Ratios:
        return {}

    def chance(self, scores: Any) -> dict[str, float]:
        return {"detection_accuracy": 1 - scores["replaced_share"]}

    def export(self, model: Any) -> PreTrainedModel:
        return model.discriminator


def drawn(logits: torch.Tensor, draws: torch.Tensor) -> torch.Tensor:
    """Tokens (b, k) that `draws` (b, k) in [0, 1) choose by the probabilities of `logits` (b, k, vocabulary).

    Sums in double precision: a draw that falls near the border of two tokens should choose the same one on every side
    of a rounding.
    """
    import torch

    logits = logits.float()
    sums = (logits - logits.amax(-1, keepdim=True)).exp().cumsum(-1, dtype=torch.float64)
    chosen = torch.searchsorted(sums, draws.unsqueeze(-1) * sums[..., -1:], right=True)
    return chosen.squeeze(-1).clamp(max=logits.shape[-1] - 1)


def detector(config: PretrainedConfig, generator_layers: int) -> torch.nn.Module:
    """Generator and discriminator with shared token embeddings."""
    import torch
    from transformers import AutoModelForMaskedLM

    class Detector(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            small = copy.deepcopy(config)
            small.num_hidden_layers = generator_layers
            self.generator = AutoModelForMaskedLM.from_config(small).base_model
            self.discriminator = AutoModelForMaskedLM.from_config(config).base_model
            embeddings = self.generator.get_input_embeddings()
            self.discriminator.set_input_embeddings(embeddings)
            width, words = config.hidden_size, embeddings.weight.shape[1]
            self.transform = transform(width, words)
            self.decoder = torch.nn.Linear(words, len(embeddings.weight))
            self.decoder.weight = embeddings.weight
            torch.nn.init.zeros_(self.decoder.bias)
            self.head = torch.nn.Sequential(
                torch.nn.Linear(3 * width, width), torch.nn.GELU(), torch.nn.Linear(width, 1)
            )

        def forward(self, batch: Batch) -> Any:
            """Generator logits (b, k, vocabulary), filled ids (b, l), which are replaced (b, l), detection logits."""
            input_ids, segments, positions = batch["input_ids"], batch["token_type_ids"], batch["positions"]
            seen = hidden_states(self.generator, input_ids, segments)
            guesses = self.decoder(self.transform(at(beside(seen), positions)))
            with torch.no_grad():
                filled = input_ids.scatter(1, positions, drawn(guesses, batch["draws"]))
                is_replaced = filled != input_ids.scatter(1, positions, batch["targets"])
            hidden = hidden_states(self.discriminator, filled, segments)
            return guesses, filled, is_replaced, self.head(beside(hidden)).squeeze(-1)

    return Detector()


OBJECTIVE = ReplacedTokenDetection
