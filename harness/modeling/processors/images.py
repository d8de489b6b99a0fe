"""Images: resized and cut by a processor of `transformers` on Pillow, kept as bytes, scaled in batches. Imports torch:
import it inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from harness.data.modalities import MODALITIES, Decoded
from harness.modeling.processors.base import Processor

HALF = [0.5, 0.5, 0.5]


class ImageProcessor(Processor):
    """A frame after the other where the item is a video."""

    modality = "image"

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        scale = processor.rescale_factor if processor.do_rescale else 1.0
        mean, spread = (processor.image_mean, processor.image_std) if processor.do_normalize else (0.0, 1.0)
        self._scale = float(scale)
        self._mean, self._spread = (torch.tensor(_by_channel(values)) for values in (mean, spread))

    @classmethod
    def read(cls, folder: Path) -> ImageProcessor:
        from transformers import AutoImageProcessor

        options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        return cls(AutoImageProcessor.from_pretrained(folder, backend="pil", **options))

    @classmethod
    def of_size(cls, size: int | Sequence[int]) -> ImageProcessor:
        """For images of one size, with values from -1 to 1."""
        from transformers import CLIPImageProcessorPil

        height, width = (size, size) if isinstance(size, int) else (int(size[0]), int(size[1]))
        whole = {"height": height, "width": width}
        return cls(CLIPImageProcessorPil(size=whole, crop_size=whole, image_mean=HALF, image_std=HALF))

    def prepared(self, decoded: Decoded) -> np.ndarray:
        """(3, h, w) uint8; of a video (frames, 3, h, w)."""
        frames = decoded.values if decoded.values.ndim == 4 else decoded.values[None]
        made = self._processor(images=list(frames), do_rescale=False, do_normalize=False, return_tensors="np")
        pixels = cast(np.ndarray, made["pixel_values"])
        if pixels.dtype != np.uint8:
            pixels = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
        return pixels if decoded.values.ndim == 4 else pixels[0]

    def inputs(self, kept: torch.Tensor) -> dict[str, torch.Tensor]:
        mean, spread = self._mean.to(kept.device), self._spread.to(kept.device)
        return {"pixel_values": (kept.float() * self._scale - mean) / spread}

    def augmented(self, kept: np.ndarray, random: np.random.Generator) -> np.ndarray:
        decoded = Decoded(np.ascontiguousarray(np.moveaxis(kept, -3, -1)))
        modality = MODALITIES.get("video" if kept.ndim == 4 else "image")
        return np.moveaxis(modality.augment(decoded, random).values, -1, -3)

    def save(self, folder: Path) -> None:
        self._processor.save_pretrained(folder)


def _by_channel(values: float | Sequence[float]) -> np.ndarray:
    return np.asarray(values, dtype=np.float32).reshape(-1, 1, 1)
