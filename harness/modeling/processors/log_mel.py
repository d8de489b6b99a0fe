"""Sounds for CLAP (Wu et al. 2023): waveforms of one length, and their log-mel spectrograms in torch. Imports torch:
import it inside functions.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch

from harness.data.modalities import MODALITIES, Decoded
from harness.data.modalities.audio import resampled
from harness.modeling.processors.base import Processor

LOWEST = 50
"""The lowest frequency of a model built here, in Hz."""
SHORTEST_WINDOW = 512
"""Samples of a spectrum, at least."""
FLOOR = 1e-10
"""The least power of a band: -100 dB."""


class LogMelProcessor(Processor):
    """As the feature extractor of `transformers` does it but for one thing: of a sound that is longer than the model
    reads, the beginning is read, where theirs draws a part at random.
    """

    modality = "audio"

    def __init__(self, extractor: Any) -> None:
        self._extractor = extractor
        fused = extractor.truncation == "fusion"
        filters = extractor.mel_filters if fused else extractor.mel_filters_slaney
        self._filters = torch.tensor(filters, dtype=torch.float32)
        self._window = torch.hann_window(extractor.fft_window_size)
        self._channels = 4 if fused else 1
        self.length = int(extractor.nb_max_samples)

    @classmethod
    def read(cls, folder: Path) -> LogMelProcessor:
        from transformers import AutoFeatureExtractor

        return cls(AutoFeatureExtractor.from_pretrained(folder, local_files_only=True, trust_remote_code=False))

    @classmethod
    def of_config(cls, config: Any, rate: int, seconds: float) -> LogMelProcessor:
        """For a model built from a config, and sounds of so many seconds: as many frames as it reads in its square."""
        from transformers import ClapFeatureExtractor

        frames = config.spec_size * (config.spec_size // config.num_mel_bins)
        hop = math.ceil(rate * seconds / (frames - 1))
        window = max(SHORTEST_WINDOW, 2 ** math.ceil(math.log2(2 * hop)))
        return cls(
            ClapFeatureExtractor(
                feature_size=config.num_mel_bins, sampling_rate=rate, hop_length=hop, max_length_s=seconds,
                fft_window_size=window, frequency_min=LOWEST, frequency_max=rate // 2, truncation="rand_trunc",
                padding="pad",
            )
        )  # fmt: skip

    @property
    def reads(self) -> float:
        return float(self.length / self._extractor.sampling_rate)

    def prepared(self, decoded: Decoded) -> np.ndarray:
        """(samples,) float32."""
        sound = resampled(decoded.values, decoded.rate, self._extractor.sampling_rate)[: self.length]
        if len(sound) < self.length and self._extractor.padding in ("repeat", "repeatpad"):
            whole = self.length // len(sound)
            sound = np.tile(sound, whole + (self._extractor.padding == "repeat"))[: self.length]
        return np.pad(sound, (0, self.length - len(sound))).astype(np.float32)

    def inputs(self, kept: torch.Tensor) -> dict[str, torch.Tensor]:
        """`input_features` (b, channels, frames, bins) in dB."""
        window, filters = self._window.to(kept.device), self._filters.to(kept.device)
        size = self._extractor.fft_window_size
        spectrum = torch.stft(
            kept.float(), size, self._extractor.hop_length, window=window, pad_mode="reflect", return_complex=True
        )
        power = torch.einsum("bft,fm->btm", spectrum.abs().square(), filters)
        decibels = 10 * power.clamp(min=FLOOR).log10()
        features = {"input_features": decibels.unsqueeze(1).expand(-1, self._channels, -1, -1)}
        if self._channels > 1:
            features["is_longer"] = torch.zeros(len(kept), 1, dtype=torch.bool, device=kept.device)
        return features

    def augmented(self, kept: np.ndarray, random: np.random.Generator) -> np.ndarray:
        return MODALITIES.get("audio").augment(Decoded(kept, self._extractor.sampling_rate), random).values

    def save(self, folder: Path) -> None:
        self._extractor.save_pretrained(folder)
