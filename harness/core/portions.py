"""Which of its training examples a model was fitted to, in words: a fraction of them, or so many of each class."""

from __future__ import annotations


def portion_name(fraction: float, k_shot: int | None) -> str:
    """`4 a class`, `10 %`; empty for all of them."""
    if k_shot is not None:
        return f"{k_shot} a class"
    return "" if fraction == 1 else f"{100 * fraction:g} %"
