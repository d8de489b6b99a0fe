"""How many weights are zero, and what that saves."""

from __future__ import annotations

from typing import Any

NOTHING_SAVED = (
    "It saves neither time nor memory, nor bytes on disk before packing: dense kernels and files spell out zeros."
)


def sparsity_of(weights: dict[str, Any]) -> dict[str, Any]:
    """The fraction of zeros in weights (by layer name), in all and a layer, with what it does not save."""
    zeros = {name: int((weight == 0).sum()) for name, weight in weights.items()}
    total = sum(weight.numel() for weight in weights.values())
    return {
        "coverage": {"linear": len(weights), "pruned": sum(zeros[name] > 0 for name in weights)},
        "sparsity": sum(zeros.values()) / total,
        "layers": {name: zeros[name] / weight.numel() for name, weight in weights.items()},
        "notes": [NOTHING_SAVED],
    }
