"""Losses of two towers over a batch of pairs, from unit vectors (b, size) of its items and of their texts. Each is the
mean over the pairs. Imports torch: import it inside functions.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy, logsigmoid

HOTTEST = 100.0
"""The largest scale of similarities; CLIP clips its own to it after each step."""


def softmax_loss(items: torch.Tensor, texts: torch.Tensor, log_scale: torch.Tensor) -> torch.Tensor:
    """Of each item its text among all, and of each text its item (Radford et al. 2021, figure 3)."""
    logits = log_scale.exp() * items @ texts.T
    pairs = torch.arange(len(logits), device=logits.device)
    return (cross_entropy(logits, pairs) + cross_entropy(logits.T, pairs)) / 2


def sigmoid_loss(items: torch.Tensor, texts: torch.Tensor, log_scale: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Of each item and each text whether they belong together (Zhai et al. 2023, algorithm 1)."""
    logits = log_scale.exp() * items @ texts.T + bias
    signs = 2 * torch.eye(len(logits), device=logits.device) - 1
    return -logsigmoid(signs * logits).sum() / len(logits)


def two_scales_loss(
    items: torch.Tensor, texts: torch.Tensor, item_scale: torch.Tensor, text_scale: torch.Tensor
) -> torch.Tensor:
    """As `softmax_loss`, with a scale for each direction (Wu et al. 2023, CLAP). The loss of `transformers`' ClapModel
    is another: it takes the direction from texts to items twice.
    """
    pairs = torch.arange(len(items), device=items.device)
    similarity = items @ texts.T
    of_items = cross_entropy(item_scale.exp() * similarity, pairs)
    return (of_items + cross_entropy(text_scale.exp() * similarity.T, pairs)) / 2
