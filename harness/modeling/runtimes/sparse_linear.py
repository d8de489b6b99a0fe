"""A linear layer of 2:4 weights on the sparse tensor cores of a GPU, by cuSPARSELt. Imports torch: import it inside
functions.

`torch.sparse` has a tensor for such weights, which `torch.compile` cannot trace; the operations below it can be traced.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

ROWS = 8
"""The kernel takes inputs whose rows are a multiple of these."""


class SparseLinear(torch.nn.Module):
    """Of weights (outputs, inputs) in half precision, on the GPU, at most two of each four in a row not zero, and a
    bias (outputs,) or None.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None) -> None:
        super().__init__()
        self.out_features, self.in_features = weight.shape
        self.register_buffer("packed", torch._cslt_compress(weight.detach().contiguous()))
        self.bias = bias

    @property
    def weight(self) -> torch.Tensor:
        """As it is stored: models that ask for its type and device find them."""
        assert isinstance(self.packed, torch.Tensor)
        return self.packed

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        rows = inputs.reshape(-1, self.in_features)
        count = rows.shape[0]
        if count % ROWS:
            rows = pad(rows, (0, 0, 0, -count % ROWS))
        rows = rows.contiguous()  # the kernel takes no strides from one row to the next
        output = torch._cslt_sparse_mm(self.weight, rows.t(), self.bias, transpose_result=True)
        return output[:count].reshape(*inputs.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"
