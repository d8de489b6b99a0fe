"""Processors: how decoded items become a model's tensors, as `transformers` keeps it beside the weights. Imports torch:
import it inside functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.items import Item
from harness.data.modalities import MODALITIES, Decoder
from harness.modeling.processors.base import Processor
from harness.modeling.processors.images import ImageProcessor
from harness.modeling.processors.log_mel import LogMelProcessor
from harness.modeling.processors.sounds import SoundProcessor
from harness.modeling.weights.config_file import PROCESSOR_FILES as FILES

RATE = 8000
"""Samples a second of the generated sounds."""


def processor_in(folder: Path) -> Processor:
    """The processor of a model's folder. Raises HarnessError for none, or one that cannot be read."""
    for name in FILES:
        if (folder / name).is_file():
            return _read(folder, name)
    raise HarnessError(
        f"model {folder}: no {FILES[0]} in it, which says how images or sounds are read; save it there too"
    )


def processor_for(config: Any, rate: int = RATE, seconds: float = 1.0) -> Processor:
    """A new processor, for a model built from its config.

    Args:
        config: Of `transformers`.
        rate: Samples a second of sounds, for a model that leaves them open.
        seconds: How much of a sound is read, for such a model.

    Raises:
        HarnessError: a model that reads no items.
    """
    if hasattr(config, "audio_config"):
        return LogMelProcessor.of_config(config.audio_config, rate, seconds)
    if hasattr(config, "num_mel_bins") and hasattr(config, "max_length"):
        return SoundProcessor.of_spectrogram(config)
    vision = getattr(config, "vision_config", config)
    size = getattr(vision, "image_size", None)
    if size is None:
        raise HarnessError(f"a model of type {config.model_type} reads neither images nor sounds")
    return ImageProcessor.of_size(size)


def _read(folder: Path, name: str) -> Processor:
    try:
        values = json.loads((folder / name).read_text())
        kind = values.get("feature_extractor_type") or values.get("feature_extractor", {}).get("feature_extractor_type")
        if kind == "ClapFeatureExtractor":
            return LogMelProcessor.read(folder)
        return SoundProcessor.read(folder) if kind else ImageProcessor.read(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"model {folder}: cannot use its {name}: {reason}") from None


def prepared(items: Sequence[Item], modality: str, processor: Processor) -> np.ndarray:
    """Items as the processor keeps them, (n, …). Raises HarnessError as `in_batches`."""
    return np.concatenate(list(in_batches(items, modality, processor, len(items))))


def in_batches(
    items: Sequence[Item],
    modality: str,
    processor: Processor,
    size: int,
    report: Callable[[float], None] = lambda fraction: None,
) -> Iterator[np.ndarray]:
    """Items as the processor keeps them, (b, …) of `size` at a time, each decoded once.

    Raises:
        HarnessError: items that cannot be read, all of which are named, or those of another modality than the model's.
    """
    if processor.modality != MODALITIES.get(modality).model_modality:
        raise HarnessError(f"the model reads items of the modality {processor.modality}, and these are {modality}")
    decode = Decoder(MODALITIES.get(modality))
    rows: list[np.ndarray] = []
    for number, item in enumerate(items, start=1):
        if (decoded := decode(item)) is not None:
            rows.append(processor.prepared(decoded))
        if number == len(items):
            decode.finish()
        if len(rows) == size or (rows and number == len(items)):
            yield np.stack(rows)
            rows = []
            report(number / len(items))


__all__ = ["FILES", "Processor", "in_batches", "prepared", "processor_for", "processor_in"]
