"""Two towers trained to bring items and their captions together: CLIP (Radford et al. 2021), SigLIP (Zhai et al. 2023)
and CLAP (Wu et al. 2023).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.training.objectives.base import Batch, Ratios
from harness.training.objectives.items import ItemObjective, ItemOptions

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

losses = lazy("harness.training.objectives.contrastive_losses")
towers = lazy("harness.modeling.inference.towers")


class ContrastiveOptions(ItemOptions):
    """`loss`: `softmax` compares a pair with all others of its batch, `sigmoid` tells of each two whether they belong
    together, which needs a model with a bias, as SigLIP's.
    """

    loss: Literal["softmax", "sigmoid"] = "softmax"


class Contrastive(ItemObjective):
    Options = ContrastiveOptions
    auto_class = "AutoModel"
    from_checkpoint = True
    whole_batch = True
    lower_is_better = frozenset({"contrastive_loss"})

    def __init__(self, options: Any, tokens: Any, block_size: int) -> None:
        self._measured = 0
        super().__init__(options, tokens, block_size)

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        import transformers

        tower = getattr(config, "vision_config", None)
        if tower is not None and not hasattr(tower, "hidden_size") and hasattr(tower, "hidden_sizes"):
            tower.hidden_size = tower.hidden_sizes[-1]  # the width that a tower of convolutions ends with
        return transformers.AutoModel.from_config(config)

    def try_out(self, model: Any) -> None:
        reads = "get_audio_features" if self.modality == "audio" else "get_image_features"
        if not hasattr(model, reads):
            raise HarnessError(f"a {model.config.model_type} has no tower for items of the modality {self.modality}")
        if self.options.loss == "sigmoid" and getattr(model, "logit_bias", None) is None:
            raise HarnessError(f"loss: sigmoid needs a bias, as siglip has one; a {model.config.model_type} has none")
        self.trims = model.config.model_type not in towers.WHOLE_LENGTH

    def held_out(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        batch = self.drawn(blocks, random)
        if not self.trims:
            del batch["attention_mask"]
        return batch

    def vectors(self, model: Any, batch: Batch) -> torch.Tensor:
        """(b, 2, size): of an item and of its caption."""
        import torch

        items = towers.item_vectors(model, self.processor.inputs(batch["items"]))
        texts = towers.text_vectors(model, batch["input_ids"], batch.get("attention_mask"))
        return torch.stack([items, texts], dim=1)

    def loss_of(self, model: Any, vectors: torch.Tensor) -> torch.Tensor:
        items, texts = vectors.unbind(1)
        if hasattr(model, "logit_scale_a"):
            made: torch.Tensor = losses.two_scales_loss(items, texts, model.logit_scale_a, model.logit_scale_t)
            return made
        if self.options.loss == "sigmoid":
            made = losses.sigmoid_loss(items, texts, model.logit_scale, model.logit_bias)
            return made
        made = losses.softmax_loss(items, texts, model.logit_scale)
        return made

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        return self.loss_of(model, self.vectors(model, batch))

    def after_step(self, model: Any) -> None:
        import torch

        if self.options.loss == "softmax":
            with torch.no_grad():
                for name, parameter in model.named_parameters(recurse=False):
                    if name.startswith("logit_scale"):
                        parameter.clamp_(0, math.log(losses.HOTTEST))

    def measure(self, model: Any, batch: Batch) -> Ratios:
        """Of held-out pairs: whether the nearest caption of an item is its own, and the nearest item of a caption."""
        import torch

        parts = [
            self.vectors(model, {name: rows[start : start + MEASURED_AT_ONCE] for name, rows in batch.items()})
            for start in range(0, len(batch["items"]), MEASURED_AT_ONCE)
        ]
        vectors = torch.cat(parts)
        items, texts = vectors.unbind(1)
        similarity = items @ texts.T
        right = torch.arange(len(items), device=items.device)
        n = self._measured = len(items)
        ones = np.ones(n)
        loss = float(self.loss_of(model, vectors))
        return {
            "text_retrieval_recall_1": ((similarity.argmax(1) == right).double().cpu().numpy(), ones),
            "item_retrieval_recall_1": ((similarity.argmax(0) == right).double().cpu().numpy(), ones),
            "contrastive_loss": (np.full(n, loss), ones),
        }

    def chance(self, scores: Mapping[str, float]) -> dict[str, float]:
        return {name: 1 / self._measured for name in scores if "recall" in name}


MEASURED_AT_ONCE = 64
"""Pairs that go through the towers together, without gradients."""


class ImageText(Contrastive):
    modality, unit = "image", "images"


class AudioTextOptions(ContrastiveOptions):
    """Of a model that is built here: sounds are read at `rate` samples a second, the first `seconds` of each."""

    rate: int = Field(default=8000, ge=1000, le=192_000)
    seconds: float = Field(default=1.0, gt=0, le=600)


class AudioText(Contrastive):
    Options = AudioTextOptions
    modality, unit = "audio", "sounds"


class VideoTextOptions(ContrastiveOptions):
    """`frames` of each video are seen, spread over it evenly."""

    frames: int = Field(default=4, ge=1, le=64)


class VideoText(Contrastive):
    """A video is the mean of its frames' vectors (CLIP4Clip's mean pooling, Luo et al. 2021), as where it is scored."""

    Options = VideoTextOptions
    modality, unit = "video", "videos"


VIDEO_TEXT = VideoText
IMAGE_TEXT = ImageText
AUDIO_TEXT = AudioText
