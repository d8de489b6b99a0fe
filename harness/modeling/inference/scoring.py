"""Forward passes over many examples, in length order. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from transformers import PreTrainedModel

from harness.modeling.inference.batching import DataCollator, scoring_batches
from harness.modeling.inference.first_position import first_position

SCORING_TOKENS = {"cpu": 1024, "cuda": 32768}
"""Padded tokens in a scoring batch. On a CPU core small batches keep activations in cache."""


@torch.inference_mode()
def logits(model: PreTrainedModel, padding: DataCollator, columns: Mapping[str, Sequence[Sequence[int]]]) -> np.ndarray:
    """Logits (n, outputs) float32 of n encoded examples, in their order; computed in length order, longest first."""
    device = model.device
    was_training = model.training
    model.eval()
    rows = columns["input_ids"]
    result: np.ndarray | None = None
    with first_position(model):
        for indices in scoring_batches([len(row) for row in rows], SCORING_TOKENS[device.type]):
            batch = padding([{name: column[index] for name, column in columns.items()} for index in indices])
            output = model(**{name: tensor.to(device) for name, tensor in batch.items()}).logits
            values = output.float().cpu().numpy()
            if result is None:
                result = np.empty((len(rows), values.shape[1]), dtype=np.float32)
            result[indices] = values
    model.train(was_training)
    return result if result is not None else np.empty((0, 0), dtype=np.float32)
