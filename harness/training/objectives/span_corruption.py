"""Span corruption (Raffel et al. 2020, section 3.1.4): spans are cut out of the text, and written down in order.

text     Thank you for inviting me to your party last week
input    Thank you <0> me to your party <1> week
target   <0> for inviting <1> last <end>
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.strict_spec import Strict
from harness.modeling.heads.vocabulary_loss import LARGE, summed_loss
from harness.modeling.inference.outputs import Outputs
from harness.training.objectives.base import Batch, Objective, Ratios
from harness.training.objectives.reading import mean_of

if TYPE_CHECKING:
    import torch


class SpanOptions(Strict):
    """`rate` of the tokens are cut out, in spans of `mean_span` tokens on average."""

    rate: float = Field(default=0.15, gt=0, lt=0.9)
    mean_span: float = Field(default=3.0, ge=1)


class SpanCorruption(Objective):
    auto_class = "AutoModelForSeq2SeqLM"
    from_checkpoint = True
    Options = SpanOptions
    tokenizers = ("unigram",)
    perplexities = frozenset({"target_perplexity"})
    lower_is_better = frozenset({"target_loss", "target_perplexity"})

    def prepare(self) -> None:
        self.raw, self.input_size, self.target_size = lengths(
            self.block_size, self.options.rate, self.options.mean_span
        )
        spans = counts(self.raw, self.options.rate, self.options.mean_span)[1]
        if spans > len(self.tokens.sentinels):
            raise HarnessError(
                f"objective span-corruption: {spans} spans in a block of {self.block_size} tokens, but the tokenizer "
                f"has {len(self.tokens.sentinels)} sentinels; use shorter blocks or longer spans"
            )

    @property
    def raw_size(self) -> int:
        return self.raw

    def corrupt(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        inputs = np.empty((len(blocks), self.input_size), dtype=np.int64)
        targets = np.empty((len(blocks), self.target_size), dtype=np.int64)
        sentinels = np.asarray(self.tokens.sentinels)
        for row, block in enumerate(blocks):
            noise = noise_mask(self.raw, self.options.rate, self.options.mean_span, random)
            inputs[row, :-1] = with_sentinels(block, noise, sentinels)
            targets[row, :-1] = with_sentinels(block, ~noise, sentinels)
        inputs[:, -1] = targets[:, -1] = self.tokens.end
        return {"input_ids": inputs, "targets": targets}

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        targets, words = batch["targets"], model.config.vocab_size
        if targets.numel() * words < LARGE:
            return model(input_ids=batch["input_ids"], labels=targets, use_cache=False).loss
        inputs = {
            "input_ids": batch["input_ids"],
            "decoder_input_ids": model.prepare_decoder_input_ids_from_labels(labels=targets),
        }
        return summed_loss(model, inputs, targets, shifted=False) / targets.numel()

    def outputs(self, model: Any, batch: Batch) -> Outputs:
        scores = model(input_ids=batch["input_ids"], labels=batch["targets"], use_cache=False).logits.float()
        return mean_of(scores.flatten(0, 1), batch["targets"].flatten())

    def measure(self, model: Any, batch: Batch) -> Ratios:
        from torch.nn.functional import cross_entropy

        scores = model(input_ids=batch["input_ids"], labels=batch["targets"], use_cache=False).logits.float()
        surprise = cross_entropy(scores.transpose(1, 2), batch["targets"], reduction="none").sum(1)
        nats = surprise.cpu().numpy().astype(float)
        count = np.full(len(nats), float(self.target_size))
        return {"target_loss": (nats, count), "target_perplexity": (nats, count)}


def counts(length: int, rate: float, mean_span: float) -> tuple[int, int]:
    """How many of `length` tokens are noise, and in how many spans."""
    noise = min(max(round(length * rate), 1), length - 1)
    return noise, min(max(round(noise / mean_span), 1), noise, length - noise)


def lengths(input_size: int, rate: float, mean_span: float) -> tuple[int, int, int]:
    """The longest text that corrupts to at most `input_size` tokens, and the input and target that come of it.

    Input: what is kept, a sentinel a span, and the end. Target: what is cut out, a sentinel a span, and the end. For
    512 tokens at 15 % and 3: 568 tokens of text, 512 of input, 114 of target, as in the paper.
    """

    def sizes(length: int) -> tuple[int, int]:
        noise, spans = counts(length, rate, mean_span)
        return length - noise + spans + 1, noise + spans + 1

    length = max(2, input_size // 2)
    while sizes(length + 1)[0] <= input_size:
        length += 1
    return length, *sizes(length)


def noise_mask(length: int, rate: float, mean_span: float, random: np.random.Generator) -> np.ndarray:
    """Which of `length` tokens are cut out: spans of text and of noise in turn, of random lengths, text first."""
    noise, spans = counts(length, rate, mean_span)
    kept_lengths = _segments(length - noise, spans, random)
    noise_lengths = _segments(noise, spans, random)
    runs = np.stack([kept_lengths, noise_lengths], axis=1).ravel()
    return np.repeat(np.arange(2 * spans) % 2 == 1, runs)


def _segments(total: int, parts: int, random: np.random.Generator) -> np.ndarray:
    """`total` cut into `parts` lengths of at least 1, all ways equally likely."""
    cuts = np.sort(random.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(np.concatenate([[0], cuts, [total]]))


def with_sentinels(block: np.ndarray, cut: np.ndarray, sentinels: np.ndarray) -> np.ndarray:
    """The block with each run of `cut` tokens replaced by the next sentinel."""
    starts = cut & ~np.concatenate([[False], cut[:-1]])
    replaced = np.where(starts, sentinels[np.maximum(np.cumsum(starts) - 1, 0)], block)
    return replaced[~cut | starts]


OBJECTIVE = SpanCorruption
