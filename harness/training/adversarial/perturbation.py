"""Perturbations of the embeddings that a model reads. Imports torch: import it inside functions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

MASK = "attention_mask"
TINY = 1e-12

Draw = Callable[[tuple[int, ...], torch.Tensor], torch.Tensor]
"""A shape (b, t, d) and which tokens are none of padding (b, t, 1) to values."""


class Perturbation:
    """What is added to embeddings (b, t, d), by example and token; padding is left as it is.

    `values` are given, or drawn once the shape of the embeddings is known.
    """

    def __init__(self, values: torch.Tensor | Draw) -> None:
        self._draw = values if callable(values) else None
        self.values = None if callable(values) else values.detach().requires_grad_()

    def add(self, embedded: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        if self.values is None:
            assert self._draw is not None
            self.values = self._draw(tuple(embedded.shape), real).detach().requires_grad_()
        return embedded + (self.values * real).to(embedded.dtype)

    @property
    def drawn(self) -> torch.Tensor:
        """The values of a perturbation that was added."""
        assert self.values is not None
        return self.values.detach()

    def gradient(self, loss: torch.Tensor | None = None) -> torch.Tensor:
        """Of the loss by the values: of one whose `backward` has run, or of this one, the weights left alone."""
        assert self.values is not None
        if loss is not None:
            return torch.autograd.grad(loss, self.values)[0]
        assert self.values.grad is not None
        return self.values.grad


@contextmanager
def perturbed(module: torch.nn.Module, by: Perturbation | None, batch: Mapping[str, Any]) -> Iterator[None]:
    """Within it the first call of the embeddings `module` gives perturbed ones: of a model with two stacks those of the
    text that is read, also where both share the module.
    """
    if by is None:
        yield
        return
    calls = 0

    def add(_: Any, given: tuple[Any, ...], embedded: torch.Tensor) -> torch.Tensor | None:
        nonlocal calls
        calls += 1
        return by.add(embedded, _real(module, given[0], batch)) if calls == 1 else None

    hook = module.register_forward_hook(add)
    try:
        yield
    finally:
        hook.remove()


def _real(module: Any, ids: torch.Tensor, batch: Mapping[str, Any]) -> torch.Tensor:
    """Which tokens (b, t, 1) are none of padding: as the batch says, else by their ids."""
    mask = batch.get(MASK)
    if mask is None or mask.shape != ids.shape:
        padding = getattr(module, "padding_idx", None)
        mask = torch.ones_like(ids) if padding is None else ids != padding
    return mask.unsqueeze(-1).float()


def embeddings_of(model: Any) -> torch.nn.Module:
    """What gives the embeddings of the text that a model reads."""
    encoder = model.get_encoder() if model.config.is_encoder_decoder else model
    module: torch.nn.Module = encoder.get_input_embeddings()
    return module


def zeros(shape: tuple[int, ...], real: torch.Tensor) -> torch.Tensor:
    """No perturbation."""
    return real.new_zeros(shape)


def unit(values: torch.Tensor) -> torch.Tensor:
    """Values (b, t, d), those of each example divided by their length."""
    return values / _lengths(values)


def within(values: torch.Tensor, radius: float) -> torch.Tensor:
    """The nearest values of which each example's are no longer than `radius`."""
    return values * (radius / _lengths(values)).clamp(max=1.0)


def unit_largest(values: torch.Tensor) -> torch.Tensor:
    """Values (b, t, d), those of each example divided by the largest."""
    return values / values.abs().amax((1, 2), keepdim=True).clamp(min=TINY)


def _lengths(values: torch.Tensor) -> torch.Tensor:
    return values.float().pow(2).sum((1, 2), keepdim=True).sqrt().clamp(min=TINY)
