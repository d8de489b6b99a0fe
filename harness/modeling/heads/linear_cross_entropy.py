"""The loss of a linear layer over a vocabulary, some rows at a time. Imports torch: import it inside functions.

All logits of a batch at once are by far the largest tensor of a small model, written and read several times in each
direction. Here a part of them is made, turned into its gradients, and forgotten (Wijmans et al. 2024 and Hsu et al.
2024 do so on GPUs); the matrix products stay, the passes over main memory go.
"""

from __future__ import annotations

from typing import Any

import torch

ROWS = 256


def linear_cross_entropy(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """The mean cross entropy of `hidden` (n, d) · `weight` (vocabulary, d)ᵀ + `bias` (vocabulary), a scalar; `targets`
    (n) are ids. Under autocast the products are in its precision, the rest in float32.
    """
    device = hidden.device.type
    lower = torch.is_autocast_enabled(device)
    kind = torch.get_autocast_dtype(device) if lower else hidden.dtype
    return _LinearCrossEntropy.apply(hidden, weight, bias, targets, kind)


class _LinearCrossEntropy(torch.autograd.Function):
    """The gradients are made with the loss: `backward` only scales them."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        kind: torch.dtype,
    ) -> torch.Tensor:
        n = len(hidden)
        loss = torch.zeros((), device=hidden.device)
        by_hidden = torch.empty_like(hidden)
        trained = ctx.needs_input_grad[1]
        by_weight = torch.zeros_like(weight) if trained else None
        by_bias = None if bias is None else torch.zeros_like(bias)
        with torch.autocast(hidden.device.type, enabled=False):
            inputs, matrix = hidden.to(kind), weight.to(kind)
            for start in range(0, n, ROWS):
                rows = slice(start, start + ROWS)
                wanted = targets[rows].unsqueeze(1)
                scores = (inputs[rows] @ matrix.t()).float()
                if bias is not None:
                    scores += bias
                right = scores.gather(1, wanted)
                highest = scores.amax(1, keepdim=True)
                probabilities = scores.sub_(highest).exp_()
                total = probabilities.sum(1, keepdim=True)
                loss += (total.log() + highest - right).sum()
                by_scores = probabilities.div_(total).scatter_add_(1, wanted, torch.full_like(right, -1.0)).div_(n)
                if by_bias is not None:
                    by_bias += by_scores.sum(0)
                by_scores = by_scores.to(kind)
                by_hidden[rows] = by_scores @ matrix
                if by_weight is not None:
                    by_weight += by_scores.t() @ inputs[rows]
        ctx.save_for_backward(by_hidden, by_weight, by_bias)
        return loss / n

    @staticmethod
    def backward(ctx: Any, *by_loss: torch.Tensor) -> Any:
        (scale,) = by_loss
        return *(None if each is None else each * scale for each in ctx.saved_tensors), None, None
