"""Masked spectrogram patches (Gong et al. 2022, SSAST): most patches of a sound's spectrogram are replaced by one
learned vector, and told from the others by a linear layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.training.objectives.base import Batch, Ratios
from harness.training.objectives.items import ItemObjective, ItemOptions

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig, PreTrainedModel

patch_model = lazy("harness.training.objectives.patch_model")

KIND = "audio-spectrogram-transformer"


class MaskedSpectrogramOptions(ItemOptions):
    """`rate` of the patches is hidden."""

    rate: float = Field(default=0.6, gt=0, lt=1)


class MaskedSpectrogram(ItemObjective):
    """Its model is an audio spectrogram transformer, whose checkpoint a classifier of sounds starts from."""

    Options = MaskedSpectrogramOptions
    modality, unit = "audio", "sounds"
    has_captions = False
    lower_is_better = frozenset({"patch_error"})

    def build(self, config: PretrainedConfig) -> torch.nn.Module:
        if config.model_type != KIND:
            raise HarnessError(f"objective masked-spectrogram trains a model of type {KIND}, not {config.model_type}")
        made: Any = patch_model.PatchModel(config)
        self._patches = made.patches
        return made

    def held_out(self, blocks: np.ndarray, random: np.random.Generator) -> dict[str, np.ndarray]:
        batch = self.drawn(blocks, random)
        hidden = max(1, round(self.options.rate * self._patches))
        order = random.random((len(blocks), self._patches)).argsort(1)
        return {**batch, "hidden": order < hidden}

    def loss(self, model: Any, batch: Batch) -> torch.Tensor:
        error: torch.Tensor = self._errors(model, batch)
        return (error * batch["hidden"]).sum() / batch["hidden"].sum()

    def measure(self, model: Any, batch: Batch) -> Ratios:
        """The squared error of hidden values, whose deviation over all sounds is about 1."""
        error = (self._errors(model, batch) * batch["hidden"]).sum(1)
        count = batch["hidden"].sum(1)
        return {"patch_error": (error.double().cpu().numpy(), count.double().cpu().numpy())}

    def _errors(self, model: Any, batch: Batch) -> torch.Tensor:
        """The mean squared error of each patch (b, patches)."""
        spectrograms = self.processor.inputs(batch["items"])["input_values"]
        made = model(spectrograms, batch["hidden"])
        return ((made.float() - model.patchify(spectrograms)) ** 2).mean(-1)

    def export(self, model: Any) -> PreTrainedModel:
        encoder: PreTrainedModel = model.encoder
        return encoder


OBJECTIVE = MaskedSpectrogram
