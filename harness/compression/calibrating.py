"""Training examples as a quantizer wants them. Imports onnxruntime: import it inside functions."""

from __future__ import annotations

import numpy as np
from onnxruntime.quantization import CalibrationDataReader

from harness.compression.base import Request
from harness.compression.graphs import Exported
from harness.modeling.heads import HEADS, EncodingContext
from harness.modeling.inference.batching import DataCollator, scoring_batches

TOKENS = 1024
"""Padded tokens in a batch, as in scoring."""


class Batches(CalibrationDataReader):
    """So many examples of the training split, drawn by the request's seed, in padded batches of like length."""

    def __init__(self, model: Exported, request: Request, examples: int) -> None:
        data = request.data
        reader = EncodingContext(
            data.task, data.labels, model.tokenizer, model.settings.max_length, request.seed, model.settings.fitted
        )
        drawn = data.train.draw(examples, request.seed)
        encoded = HEADS.get(model.settings.head).encode(reader, drawn)
        self.examples = len(drawn)
        self._inputs = model.inputs()
        self._rows = encoded
        self._padding = DataCollator.of(model.tokenizer, model.model.device)
        self._batches = list(scoring_batches(encoded.lengths, TOKENS))
        self._report = request.report
        self.set_range(0, len(self._batches))

    def __len__(self) -> int:
        return len(self._batches)

    def set_range(self, start_index: int, end_index: int) -> None:
        self._next, self._end = start_index, end_index

    def get_next(self) -> dict[str, np.ndarray] | None:
        if self._next == self._end:
            return None
        batch = self._padding(self._rows.rows(self._batches[self._next]))
        self._next += 1
        self._report(self._next / len(self))
        return {name: batch[name].numpy() for name in self._inputs}
