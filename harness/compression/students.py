"""Students of a distillation, before they learn. Imports torch: import it inside functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.training.learners.transformer import LEARNER

if TYPE_CHECKING:
    from harness.modeling.heads import Head
    from harness.training.learners.base import FitRequest


def from_recipe(request: FitRequest) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, Head]:
    """The model a model spec starts with: random or pretrained weights, its own tokenizer."""
    return LEARNER.start(request)
