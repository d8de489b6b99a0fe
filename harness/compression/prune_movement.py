"""Weights that fine-tuning moves towards zero set to zero, by scores learned meanwhile (Sanh et al. 2020)."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request
from harness.compression.gradual import GradualOptions, prune_gradually


class PruneMovement(Compressor):
    """Trains on the task, by default as long as the model was fine-tuned."""

    main = "sparsity"
    uses_data = True

    class Options(GradualOptions):
        pass

    def compress(self, request: Request) -> dict[str, Any]:
        return prune_gradually(request, self.options, movement=True)


COMPRESSOR = PruneMovement
