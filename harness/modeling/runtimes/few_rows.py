"""Linear layers whose int8 kernel for GPUs (`torch._int_mm`) takes more than 16 rows, given fewer: a pooler has one for
each text of a batch. Imports torch: import it inside functions.
"""

from __future__ import annotations

import torch
from torch.nn.functional import pad

ROWS = 17


class FewRows(torch.nn.Linear):
    """Fewer rows are filled up with zeros, whose outputs are dropped."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        rows = input.reshape(-1, self.in_features)
        count = rows.shape[0]
        if count >= ROWS:
            return super().forward(input)
        output = super().forward(pad(rows, (0, 0, 0, ROWS - count)))[:count]
        return output.reshape(*input.shape[:-1], self.out_features)


def take_few_rows(model: torch.nn.Module) -> int:
    """Make the layers that multiply in int8 take any number of rows; returns how many there are."""
    modules = [
        module
        for module in model.modules()
        if type(module) is torch.nn.Linear
        and type(module.weight).__name__ == "Int8Tensor"
        and getattr(module.weight, "act_quant_kwargs", None) is not None
    ]
    for module in modules:
        module.__class__ = FewRows
    return len(modules)
