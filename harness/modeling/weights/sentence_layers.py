"""What a sentence encoder does with the vector of a text after pooling: the layers that
`harness.modeling.weights.sentence_encoder` found. Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from harness.core.errors import HarnessError
from harness.modeling.weights.sentence_encoder import WEIGHTS


class Dense(nn.Module):
    """A linear layer, an activation and, where it was made with it, a residual connection."""

    def __init__(self, weights: Mapping[str, torch.Tensor], activation: str, residual: bool) -> None:
        super().__init__()
        self.linear = _linear(weights, "linear")
        self.activation = getattr(nn, activation)()
        self.residual: nn.Module | None = None
        if residual:
            self.residual = _linear(weights, "residual") if "residual.weight" in weights else nn.Identity()

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        made = self.activation(self.linear(vectors))
        return made if self.residual is None else made + self.residual(vectors)


class Normalize(nn.Module):
    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return nn.functional.normalize(vectors, dim=-1)


def read_layers(folder: Path, layers: Sequence[Mapping[str, Any]]) -> nn.Module:
    """The layers of a folder, from vectors (n, size) to vectors (n, size of the last). Raises HarnessError where
    weights are damaged or do not fit together.
    """
    made: list[nn.Module] = []
    for layer in layers:
        if layer["kind"] == "normalize":
            made.append(Normalize())
            continue
        file = folder / layer["path"] / WEIGHTS
        try:
            weights = {name: tensor.float() for name, tensor in load_file(file).items()}
            made.append(_norm(weights) if layer["kind"] == "layer-norm" else _dense(weights, layer))
        except (OSError, SafetensorError, KeyError, ValueError, RuntimeError) as error:
            raise HarnessError(f"model {folder}: cannot read {file}: {' '.join(str(error).split())[:200]}") from None
    return nn.Sequential(*made).eval()


def _dense(weights: Mapping[str, torch.Tensor], layer: Mapping[str, Any]) -> Dense:
    return Dense(weights, layer["activation"], layer["residual"])


def _linear(weights: Mapping[str, torch.Tensor], name: str) -> nn.Linear:
    weight, bias = weights[f"{name}.weight"], weights.get(f"{name}.bias")
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    made.load_state_dict({"weight": weight} | ({} if bias is None else {"bias": bias}))
    return made


def _norm(weights: Mapping[str, torch.Tensor]) -> nn.LayerNorm:
    made = nn.LayerNorm(len(weights["norm.weight"]))
    made.load_state_dict({name: weights[f"norm.{name}"] for name in ("weight", "bias")})
    return made
