"""An adapter merged into the weights it was trained on: a model that `transformers` alone loads."""

from __future__ import annotations

from typing import Any

from harness.compression.base import Compressor, Request
from harness.compression.saving import moved


class Merge(Compressor):
    """W + the adapter's change of it, in float32 (Hu et al. 2021, section 4.1); a chain merges before its first step.
    A model without an adapter stays as it is.
    """

    def compress(self, request: Request) -> dict[str, Any]:
        moved(request.source, request.target, "torch")
        return {"notes": ["The weights are as large as the base model's, on disk and in memory."]}


COMPRESSOR = Merge
