"""The cosine of two sentence vectors, without training: how sentence encoders do similarity (Reimers and Gurevych
2019).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads import library
from harness.modeling.heads.base import EncodingContext, UntrainedHead
from harness.modeling.inference.batching import DataCollator, scoring_batches

if TYPE_CHECKING:
    import numpy as np
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


SCORING_TOKENS = {"cpu": 1024, "cuda": 32768}
"""Padded tokens in a batch."""


class SentenceSimilarity(UntrainedHead):
    """`EncodingContext.fitted` says how tokens become one vector (`harness.modeling.weights.sentence_encoder`)."""

    name = "sentence-similarity"
    auto_class = "AutoModel"
    reason = "a sentence encoder is scored by the cosine of its vectors, and not trained so"

    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        import torch

        if reader.family.predictions == "outcomes":
            return self._outcomes(model, reader, split, report)
        first, second = reader.family.texts(split)
        assert second is not None
        distinct = list(dict.fromkeys([*first, *second]))
        place = {text: index for index, text in enumerate(distinct)}
        vectors = _vectors(model, reader, distinct, report, reader.fitted.get("prompt", ""))
        left = vectors[[place[text] for text in first]]
        right = vectors[[place[text] for text in second]]
        values = torch.nn.functional.cosine_similarity(left, right).double().numpy()
        return Predictions(values, {}, {"similarity": "cosine", **_settings(reader)})

    def _outcomes(
        self, model: PreTrainedModel, reader: EncodingContext, split: Split, report: Callable[[float], None]
    ) -> Predictions:
        """Of a task library, which asks for vectors as often as it needs."""

        def embed(texts: Sequence[str], purposes: Sequence[str] = ()) -> np.ndarray:
            prompts = reader.fitted.get("prompts", {})
            prompt = next((prompts[name] for name in purposes if name in prompts), reader.fitted.get("prompt", ""))
            distinct = list(dict.fromkeys(texts))
            place = {text: index for index, text in enumerate(distinct)}
            vectors = _vectors(model, reader, distinct, report, prompt)
            if reader.fitted.get("normalize"):
                vectors = torch.nn.functional.normalize(vectors, dim=1)
            return vectors[[place[text] for text in texts]].numpy()

        import torch

        predicted = library.of_vectors(reader, split, embed)
        return replace(predicted, settings={**predicted.settings, **_settings(reader)})


def _settings(reader: EncodingContext) -> dict[str, Any]:
    """How one vector is made of a text, for the record."""
    settings: dict[str, Any] = {"pooling": list(reader.fitted["pooling"])}
    if layers := reader.fitted.get("layers"):
        settings["layers"] = [layer["kind"] for layer in layers]
    return settings


def _vectors(
    model: Any, reader: EncodingContext, texts: list[str], report: Callable[[float], None], prompt: str
) -> torch.Tensor:
    return vectors_of(model, reader.tokenizer, reader.max_length, reader.fitted, texts, prompt, report)


def vectors_of(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    max_length: int,
    fitted: Mapping[str, Any],
    texts: list[str],
    prompt: str = "",
    report: Callable[[float], None] = lambda fraction: None,
) -> torch.Tensor:
    """The vectors (n, size) of n texts, each behind the prompt, in float32 on the CPU. `fitted` says how tokens become
    one vector.
    """
    import torch

    written = [prompt + (text.lower() if fitted.get("lowercase") else text) for text in texts]
    columns = dict(tokenizer(written, truncation=True, max_length=max_length, padding=False))
    lengths = [len(row) for row in columns["input_ids"]]
    padding = DataCollator.of(tokenizer, model.device)
    vectors: list[Any] = [None] * len(texts)
    done = 0
    model.eval()
    with torch.inference_mode():
        for indices in scoring_batches(lengths, SCORING_TOKENS[model.device.type]):
            batch = padding([{name: column[index] for name, column in columns.items()} for index in indices])
            output = model(**{name: tensor.to(model.device) for name, tensor in batch.items()})
            whole = getattr(output, "sentence_embedding", None)
            if whole is None:
                whole = pooled(_tokens(output), batch["attention_mask"].to(model.device), fitted["pooling"])
                whole = model.sentence_layers(whole) if fitted.get("layers") else whole
            for index, vector in zip(indices, whole.float().cpu(), strict=True):
                vectors[index] = vector
            done += len(indices)
            report(done / len(texts))
    return torch.stack(vectors)


def _tokens(output: Any) -> torch.Tensor:
    """The vectors of tokens (b, t, size), under the name of `transformers` or of sentence-transformers' graphs."""
    hidden = getattr(output, "last_hidden_state", None)
    return hidden if hidden is not None else output.token_embeddings


def pooled(tokens: torch.Tensor, mask: torch.Tensor, modes: list[str]) -> torch.Tensor:
    """Vectors of tokens (b, t, size) as one vector a text, (b, size × modes), without padding (`mask` (b, t) is 0)."""
    import torch

    weight = mask.unsqueeze(-1).to(tokens.dtype)
    count = weight.sum(1).clamp(min=1e-9)
    rows = torch.arange(len(tokens), device=tokens.device)
    made = {
        "cls": lambda: tokens[rows, mask.argmax(1)],
        "mean": lambda: (tokens * weight).sum(1) / count,
        "mean_sqrt_len": lambda: (tokens * weight).sum(1) / count.sqrt(),
        "max": lambda: tokens.masked_fill(weight == 0, float("-inf")).amax(1),
        "weightedmean": lambda: _weighted(tokens, weight),
        "lasttoken": lambda: tokens[rows, mask.shape[1] - 1 - mask.flip(1).argmax(1)],
    }
    return torch.cat([made[mode]() for mode in modes], dim=1)


def _weighted(tokens: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Later tokens weigh more, by their position from 1 (Muennighoff 2022)."""
    import torch

    position = torch.arange(1, tokens.shape[1] + 1, device=tokens.device, dtype=tokens.dtype).view(1, -1, 1)
    return (tokens * weight * position).sum(1) / (weight * position).sum(1).clamp(min=1e-9)


HEAD = SentenceSimilarity()
