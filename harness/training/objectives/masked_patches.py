"""Masked autoencoding (He et al. 2022): most patches of an image are hidden, and told from the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.training.objectives.base import Batch, Ratios
from harness.training.objectives.items import ItemObjective, ItemOptions

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel


class MaskedPatchesOptions(ItemOptions):
    """`rate` of the patches is hidden. The decoder, which no checkpoint holds, has `layers` of `width`. Of each patch
    the values to tell are brought to mean 0 and deviation 1 where `normalized`.
    """

    rate: float = Field(default=0.75, gt=0, lt=1)
    width: int = Field(default=64, ge=8, le=4096)
    layers: int = Field(default=2, ge=1, le=48)
    normalized: bool = True


class MaskedPatches(ItemObjective):
    """Its model is a ViT, whose checkpoint a classifier starts from."""

    Options = MaskedPatchesOptions
    modality, unit = "image", "images"
    has_captions = False
    lower_is_better = frozenset({"patch_error"})

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        from transformers import ViTMAEConfig, ViTMAEForPreTraining

        if config.model_type != "vit":
            raise HarnessError(f"this objective trains a vit, and not a {config.model_type}")
        values = {key: value for key, value in config.to_dict().items() if key not in ("model_type", "architectures")}
        heads = max(number for number in (8, 4, 2, 1) if self.options.width % number == 0)
        decoder = {
            "decoder_hidden_size": self.options.width,
            "decoder_num_hidden_layers": self.options.layers,
            "decoder_num_attention_heads": heads,
            "decoder_intermediate_size": 4 * self.options.width,
        }
        made = ViTMAEConfig(**values, **decoder, mask_ratio=self.options.rate, norm_pix_loss=self.options.normalized)
        self._config: Any = config
        return ViTMAEForPreTraining(made)

    def held_out(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        batch = self.drawn(blocks, random)
        size, patch = self.height_and_width(self._config.image_size), self.height_and_width(self._config.patch_size)
        patches = (size[0] // patch[0]) * (size[1] // patch[1])
        batch["noise"] = random.random((len(blocks), patches)).astype(np.float32)
        return batch

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        loss: torch.Tensor = model(pixel_values=self.pixels(batch["items"]), noise=batch["noise"]).loss
        return loss

    def pixels(self, items: torch.Tensor) -> torch.Tensor:
        """What the model is given: (b, channels, h, w)."""
        return self.processor.inputs(items)["pixel_values"]

    def measure(self, model: Any, batch: Batch) -> Ratios:
        """The squared error of hidden values; 1 is what the mean of a patch gets where they are normalized."""
        output = model(pixel_values=self.pixels(batch["items"]), noise=batch["noise"])
        target = model.patchify(self.pixels(batch["items"]))
        if self.options.normalized:
            mean, spread = target.mean(-1, keepdim=True), target.var(-1, keepdim=True)
            target = (target - mean) / (spread + 1e-6) ** 0.5
        error = (((output.logits - target) ** 2).mean(-1) * output.mask).sum(1)
        return {
            "patch_error": (error.double().cpu().numpy(), output.mask.sum(1).double().cpu().numpy()),
        }

    def export(self, model: Any) -> PreTrainedModel:
        from transformers import ViTModel

        encoder = ViTModel(self._config, add_pooling_layer=False)
        encoder.load_state_dict(model.vit.state_dict())
        return encoder

    @staticmethod
    def height_and_width(value: int | list[int]) -> tuple[int, int]:
        """Height and width."""
        return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


OBJECTIVE = MaskedPatches
