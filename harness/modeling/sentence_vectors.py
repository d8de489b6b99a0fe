"""Vectors of texts by a sentence encoder in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from harness.core.errors import HarnessError
from harness.modeling.heads.sentence_similarity import vectors_of
from harness.modeling.runtimes import RuntimeModel, devices_of, open_model

HEAD = "sentence-similarity"


def unit_vectors(folder: Path, texts: Sequence[str]) -> np.ndarray:
    """Vectors (n, size) float32 of length 1, of n texts.

    Raises:
        HarnessError: no model there, or one that is no sentence encoder.
    """
    served = _opened(folder)
    settings = served.settings
    prompt = settings.fitted.get("prompt", "")
    vectors = vectors_of(served.module, served.tokenizer, settings.max_length, settings.fitted, list(texts), prompt)
    return torch.nn.functional.normalize(vectors, dim=1).numpy()


@lru_cache(maxsize=1)
def _opened(folder: Path) -> RuntimeModel:
    served = open_model(folder, torch.get_num_threads())
    if served.settings.head != HEAD:
        raise HarnessError(f"model {folder}: its head is {served.settings.head}; give the folder of a sentence encoder")
    if torch.cuda.is_available() and "cuda" in devices_of(served.settings):
        served.module.to("cuda")
    return served
