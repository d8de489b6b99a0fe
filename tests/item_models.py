"""Small models of images and sounds with random weights, as `transformers` alone writes them, and files to ask them of."""

from __future__ import annotations

import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

WORDS = ["a photo of a cat", "a photo of a dog", "a handwritten three", "this is a sound of rain", "one two four five"]
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**SIZES, "image_size": 16, "patch_size": 4}
SPECTROGRAM = {"num_mel_bins": 16, "spec_size": 64, "patch_size": 4, "patch_stride": [4, 4], "window_size": 4}
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ITEM_MODELS = ("clip", "siglip", "clap", "vit", "ast")


@cache
def tokenizer() -> Any:
    from harness.core.specs import TokenizerSpec
    from harness.training.tokenizers import train

    return train(TokenizerSpec(kind="wordpiece", vocab_size=120), WORDS, 16)


def save_item_model(folder: Path, kind: str) -> Path:
    """A folder of one of `ITEM_MODELS`."""
    import torch
    import transformers

    from harness.modeling.processors import processor_for

    tokens = tokenizer()
    text = {
        **SIZES, "vocab_size": len(tokens), "max_position_embeddings": 18, "pad_token_id": tokens.pad_token_id,
        "eos_token_id": tokens.sep_token_id, "bos_token_id": tokens.cls_token_id,
    }  # fmt: skip
    audio = {
        **SPECTROGRAM, "depths": [1, 1], "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 16,
        "hidden_size": 32, "projection_dim": 16, "enable_fusion": False,
    }  # fmt: skip
    square = {**SIZES, "num_mel_bins": 16, "max_length": 64, "patch_size": 8, "frequency_stride": 8, "time_stride": 8}
    made: dict[str, tuple[str, str, dict[str, Any]]] = {
        "clip": ("CLIPModel", "CLIPConfig", {"text_config": text, "vision_config": VISION, "projection_dim": 16}),
        "siglip": (
            "SiglipModel", "SiglipConfig", {"text_config": text | {"projection_size": 32}, "vision_config": VISION},
        ),
        "clap": (
            "ClapModel", "ClapConfig",
            {"text_config": text | {"projection_dim": 16}, "audio_config": audio, "projection_dim": 16},
        ),
        "vit": ("ViTForImageClassification", "ViTConfig", {**VISION, "id2label": dict(enumerate(DIGITS))}),
        "ast": ("ASTForAudioClassification", "ASTConfig", {**square, "id2label": {0: "rain", 1: "wind"}}),
    }  # fmt: skip
    name, config_name, values = made[kind]
    config = getattr(transformers, config_name)(**values)
    torch.manual_seed(0)
    getattr(transformers, name)(config).save_pretrained(folder)
    processor_for(config).save(folder)
    if kind not in ("vit", "ast"):
        tokens.save_pretrained(folder)
    return folder


def save_image(file: Path, seed: int = 0) -> Path:
    from PIL import Image

    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (20, 24, 3), dtype=np.uint8)).save(file)
    return file


def save_sound(file: Path, pitch: float = 440.0) -> Path:
    """A tone of a second."""
    tone = (np.sin(np.arange(8000) / 8000 * 2 * np.pi * pitch) * 20000).astype("<i2")
    with wave.open(str(file), "wb") as opened:
        opened.setnchannels(1)
        opened.setsampwidth(2)
        opened.setframerate(8000)
        opened.writeframes(tone.tobytes())
    return file


def save_item(folder: Path, kind: str, number: int = 0) -> Path:
    """A file that a model of this kind reads."""
    is_sound = kind in ("clap", "ast")
    return (
        save_sound(folder / f"{number}.wav", 220.0 * (1 + number))
        if is_sound
        else save_image(folder / f"{number}.png", number)
    )
