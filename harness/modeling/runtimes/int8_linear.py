"""A linear layer that multiplies in integers on a CPU, by torch's own kernels. Imports torch: import it inside
functions.

Activations are quantized as they come, with one scale for a whole call, to seven bits: on CPUs without VNNI the sums of
products of eight-bit ones overflow.
"""

from __future__ import annotations

import warnings

import torch

from harness.core.errors import HarnessError


class Int8Linear(torch.nn.Module):
    """Of int8 weights (outputs, inputs), their scales (outputs,) and a float bias (outputs,) or None."""

    weight = None
    """There is none to be read: models that ask for its type go by without it."""

    def __init__(self, weight: torch.Tensor, scale: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        zeros = torch.zeros(len(scale), dtype=torch.long)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch's tensors with a quantized type are deprecated
            held = torch._make_per_channel_quantized_tensor(weight.contiguous(), scale.double(), zeros, 0)
            self._packed = torch.ops.quantized.linear_prepack(held, bias)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return torch.ops.quantized.linear_dynamic(inputs.contiguous(), self._packed, reduce_range=True)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


def require() -> None:
    """Raises HarnessError where this torch has no such kernels."""
    engines = [engine for engine in torch.backends.quantized.supported_engines if engine != "none"]
    if not engines or not hasattr(torch.ops.quantized, "linear_dynamic"):
        raise HarnessError(f"torch {torch.__version__} has no int8 kernels for this CPU; use int8 (ONNX Runtime)")
