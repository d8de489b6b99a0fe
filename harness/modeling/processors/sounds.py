"""Sounds as any other feature extractor of `transformers` makes them. Imports torch: import it inside functions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.data.modalities import Decoded
from harness.data.modalities.audio import resampled
from harness.modeling.processors.base import Processor

FRAME = 0.01
"""Seconds from a frame of a spectrogram to the next."""


class SoundProcessor(Processor):
    """Its features are kept as they are; waveforms are cut and padded to `LONGEST` seconds."""

    modality = "audio"
    LONGEST = 10

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        self._name = extractor.model_input_names[0]

    @classmethod
    def read(cls, folder: Path) -> SoundProcessor:
        from transformers import AutoFeatureExtractor

        return cls(AutoFeatureExtractor.from_pretrained(folder, local_files_only=True, trust_remote_code=False))

    @classmethod
    def of_spectrogram(cls, config: Any) -> SoundProcessor:
        """For an audio spectrogram transformer built from its config: a frame each 10 ms, at 16 kHz."""
        from transformers import ASTFeatureExtractor

        return cls(ASTFeatureExtractor(num_mel_bins=config.num_mel_bins, max_length=config.max_length))

    @property
    def reads(self) -> float:
        frames = getattr(self._extractor, "max_length", None)
        return float(min(self.LONGEST, self.LONGEST if frames is None else frames * FRAME))

    def prepared(self, decoded: Decoded) -> np.ndarray:
        """An item of the extractor's first input, of one shape for all."""
        rate = self._extractor.sampling_rate
        sound = resampled(decoded.values, decoded.rate, rate)[: self.LONGEST * rate]
        options = {"padding": "max_length", "max_length": self.LONGEST * rate} if self._is_waveform else {}
        made = self._extractor(sound, sampling_rate=rate, return_tensors="np", **options)
        return np.asarray(made[self._name][0], dtype=np.float32)

    @property
    def _is_waveform(self) -> bool:
        return getattr(self._extractor, "num_mel_bins", None) is None

    def inputs(self, kept: torch.Tensor) -> dict[str, torch.Tensor]:
        return {self._name: kept}

    def save(self, folder: Path) -> None:
        self._extractor.save_pretrained(folder)
