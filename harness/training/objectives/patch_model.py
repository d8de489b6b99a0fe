"""An audio spectrogram transformer that tells hidden patches. Imports torch: import it inside functions."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn.functional import unfold
from transformers import ASTModel


class PatchModel(torch.nn.Module):
    """The encoder, a vector in the place of what is hidden, and a layer from what the encoder gives to a patch."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.encoder = ASTModel(config)
        self.config = config
        self._size, self._stride = config.patch_size, (config.frequency_stride, config.time_stride)
        self.hidden = torch.nn.Parameter(torch.zeros(config.hidden_size))
        self.head = torch.nn.Linear(config.hidden_size, self._size**2)
        self.patches = self.patchify(torch.zeros(1, config.max_length, config.num_mel_bins)).shape[1]
        self._mask: torch.Tensor | None = None
        self.encoder.embeddings.patch_embeddings.register_forward_hook(self._hide)

    def patchify(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Patches (b, patches, values) of spectrograms (b, frames, bins), in the order of the encoder."""
        return unfold(spectrograms.transpose(1, 2).unsqueeze(1), self._size, stride=self._stride).transpose(1, 2)

    def forward(self, spectrograms: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What is told of all patches (b, patches, values), of which those of the mask (b, patches) are hidden."""
        self._mask = mask
        states = self.encoder(spectrograms).last_hidden_state
        self._mask = None
        made: torch.Tensor = self.head(states[:, -self.patches :])
        return made

    def _hide(self, module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
        if self._mask is None:
            return output
        return torch.where(self._mask.unsqueeze(-1), self.hidden.to(output.dtype), output)
