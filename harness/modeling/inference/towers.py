"""Two towers that meet in one space: the vectors of items and of texts. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import normalize

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

WHOLE_LENGTH = ("siglip", "siglip2")
"""Models whose texts are padded to their whole length, and read without a mask, as they were trained."""


def item_vectors(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Unit vectors (b, size) in float32 of a processor's inputs; of videos the mean over their frames, as one vector.

    Args:
        model: A model of `transformers` with two towers.
        inputs: What a processor makes of items. Pixels are (b, 3, h, w), of videos (b, frames, 3, h, w).
    """
    if "pixel_values" not in inputs:
        return _unit(model.get_audio_features(**inputs))
    pixels = inputs["pixel_values"]
    if pixels.ndim == 4:
        return _unit(model.get_image_features(pixel_values=pixels))
    frames = _unit(model.get_image_features(pixel_values=pixels.flatten(0, 1)))
    return normalize(frames.unflatten(0, pixels.shape[:2]).mean(1), dim=-1)


def text_vectors(model: Any, ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Unit vectors (b, size) in float32 of token ids (b, t), whose `mask` is 0 where there is none."""
    masked = {} if mask is None else {"attention_mask": mask}
    return _unit(model.get_text_features(input_ids=ids, **masked))


def token_ids(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], model_type: str, longest: int
) -> dict[str, torch.Tensor]:
    """`input_ids` (b, t) of texts and, unless the model reads them whole, their `attention_mask`."""
    whole = model_type in WHOLE_LENGTH
    encoded = tokenizer(
        list(texts), truncation=True, max_length=longest, padding="max_length" if whole else True, return_tensors="pt"
    )
    names = ("input_ids",) if whole else ("input_ids", "attention_mask")
    return {name: encoded[name] for name in names}


def longest_text(config: Any) -> int:
    """Tokens that the tower of texts reads."""
    text = config.text_config
    offset = text.pad_token_id + 1 if text.model_type in ("clap_text_model", "roberta", "xlm-roberta") else 0
    return int(text.max_position_embeddings) - offset


def caption_length(config: Any, most: int) -> int:
    """To how many tokens captions are padded in training: `most` where the tower of texts reads so many, but always its
    whole length where it is asked so. Raises HarnessError for a model with one tower.
    """
    if not hasattr(config, "text_config"):
        raise HarnessError(f"captions are read by a model with two towers, and a {config.model_type} has one")
    longest = longest_text(config)
    return longest if config.model_type in WHOLE_LENGTH else min(most, longest)


def _unit(output: Any) -> torch.Tensor:
    """The vectors of a tower's output at length 1."""
    pooled = output if isinstance(output, torch.Tensor) else output.pooler_output
    return normalize(pooled.to(torch.promote_types(pooled.dtype, torch.float32)), dim=-1)
