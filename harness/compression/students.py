"""Students of a distillation, before they learn. Imports torch: import it inside functions."""

from __future__ import annotations

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.modeling.heads import Head
from harness.training.learners.base import FitRequest
from harness.training.learners.transformer import LEARNER


def from_spec(request: FitRequest) -> tuple[PreTrainedTokenizerBase, PreTrainedModel, Head]:
    """The model a model spec starts with: random or pretrained weights, its own tokenizer."""
    return LEARNER.start(request)
