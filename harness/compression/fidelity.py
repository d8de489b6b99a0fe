"""How much of a generative model is left after compression: nats a token before and after, and how often the likeliest
token is the same. Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from harness.compression.base import Request
from harness.compression.texts import before_labels, checking_texts
from harness.modeling.inference.batching import IGNORED, DataCollator, scoring_batches
from harness.modeling.runtimes import devices_of, open_model
from harness.modeling.runtimes.base import WRITING_HEADS, RuntimeModel
from harness.modeling.weights.settings import read_settings

EXAMPLES = 64
TOKENS = 1024
"""Padded tokens of a batch."""
LOGITS = 2**25
"""Numbers in the logits of a batch, at most."""
PERPLEXITY_AT_MOST = 1.05
"""How many times the original's perplexity passes without a warning."""
AGREEMENT_AT_LEAST = 0.9


@dataclass(frozen=True)
class Fidelity:
    """A compressed model against its original on the same tokens.

    Attributes:
        texts: What they were read from.
        tokens: How many tokens were predicted.
        nats_before: Negative log-likelihood a token of the original, in nats.
        nats_after: That of the compressed model.
        agreement: The fraction of the tokens at which both find the same token likeliest.
    """

    texts: str
    tokens: int
    nats_before: float
    nats_after: float
    agreement: float

    @property
    def perplexity_ratio(self) -> float:
        return float(torch.tensor(self.nats_after - self.nats_before, dtype=torch.float64).exp())

    @property
    def notes(self) -> list[str]:
        """Sentences for a reader, a warning among them where much was lost."""
        change = f"{self.nats_before:.3f} → {self.nats_after:.3f} nats a token"
        facts = [
            f"On {self.tokens:,} tokens of {self.texts}: {change}, the likeliest token is the same at "
            f"{100 * self.agreement:.1f} %."
        ]
        if self.perplexity_ratio > PERPLEXITY_AT_MOST or self.agreement < AGREEMENT_AT_LEAST:
            facts.append(
                f"WARNING: its perplexity is {self.perplexity_ratio:.2f} times the original's; int8-weight loses less, "
                "int8:smooth=auto searches for how far to smooth, and skip=auto for the layers to leave in float."
            )
        return facts


def fidelity(request: Request) -> dict[str, Any] | None:
    """Compare what a compression has made with the model it began with; None of models that are no generative ones, and
    of encoder–decoders without examples of their task.
    """
    if "cpu" not in devices_of(read_settings(request.target)):
        return None
    original = Original.of(replace(request, source=request.original), EXAMPLES)
    if original is None:
        return None
    result = original.compared(request.target)
    return asdict(result) | {"notes": result.notes}


@dataclass(frozen=True)
class Original:
    """A generative model, and what it says of texts: the nats (n,) of each of their tokens, and the likeliest ones."""

    texts: str
    rows: Any
    nats: torch.Tensor
    likeliest: torch.Tensor

    @classmethod
    def of(cls, request: Request, count: int, after: int = 0) -> Original | None:
        """The model of the request's source on so many texts, those that come `after` so many others; None of a model
        that is no generative one, or that there are no texts for.
        """
        if read_settings(request.source).head not in WRITING_HEADS:
            return None
        model = open_model(request.source)
        try:
            texts = checking_texts(model.settings, model.tokenizer, request.examples, request.seed, count, after)
            return None if texts is None else cls(texts[1], texts[0], *_predicted(model, texts[0]))
        finally:
            model.close()

    @property
    def tokens(self) -> int:
        return len(self.nats)

    @property
    def mean_nats(self) -> float:
        return float(self.nats.mean())

    def compared(self, folder: Path) -> Fidelity:
        """What was made of it, in that folder, on the same texts."""
        model = open_model(folder)
        try:
            nats, likeliest = _predicted(model, self.rows)
        finally:
            model.close()
        same = float((self.likeliest == likeliest).double().mean())
        return Fidelity(self.texts, self.tokens, self.mean_nats, float(nats.mean()), same)


def _predicted(model: RuntimeModel, rows: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Nats (n,) of every token that is predicted, and the likeliest ones (n,), in the order of the rows."""
    padding = DataCollator.of(model.tokenizer, torch.device("cpu"))
    nats: dict[int, torch.Tensor] = {}
    best: dict[int, torch.Tensor] = {}
    budget = max(64, min(TOKENS, LOGITS // len(model.tokenizer)))
    with torch.inference_mode():
        for indices in scoring_batches(rows.lengths, budget):
            batch = padding(rows.rows(indices))
            for index, surprise, likeliest in zip(indices, *_of_batch(model.module, batch), strict=True):
                nats[index], best[index] = surprise, likeliest
    order = sorted(nats)
    return torch.cat([nats[index] for index in order]), torch.cat([best[index] for index in order])


def _of_batch(module: Any, batch: Mapping[str, torch.Tensor]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    labels = batch["labels"]
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    if module.config.is_encoder_decoder:
        encoded = module.get_encoder()(**inputs)
        logits = module(
            encoder_outputs=encoded,
            attention_mask=inputs["attention_mask"],
            decoder_input_ids=before_labels(module, labels),
        ).logits
    else:
        logits, labels = module(**inputs, use_cache=False).logits[:, :-1], labels[:, 1:]
    return tuple(map(list, zip(*_rows(logits, labels), strict=True)))  # type: ignore[return-value]


def _rows(logits: torch.Tensor, labels: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for scores, wanted in zip(logits, labels, strict=True):
        there = wanted != IGNORED
        log = scores[there].double().log_softmax(-1)
        yield -log.gather(1, wanted[there][:, None])[:, 0], log.argmax(-1)
