"""The loss of a training whose batches are changed by operations of augmentation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from harness.core.augment_spec import AugmentSpec
from harness.data.augment.base import TrainingOperation
from harness.data.augment.expand import operations_of
from harness.modeling.heads import EncodingContext

Loss = Callable[[Any, dict[str, Any], EncodingContext], Any]
"""A model and a batch to the loss summed over its targets."""


def with_operations(loss: Loss, augment: AugmentSpec | None, seed: int) -> Loss:
    """A loss with all that is applied while a model is trained, in order; itself where nothing is."""
    operations = operations_of(augment, "augment") if augment is not None else []
    for _, operation in operations:
        if isinstance(operation, TrainingOperation):
            loss = _changed(loss, operation, seed)
    return loss


def _changed(loss: Loss, operation: TrainingOperation, seed: int) -> Loss:
    steps = count()

    def changed(model: Any, batch: dict[str, Any], reader: EncodingContext) -> Any:
        inner = partial(_of, loss, reader)
        return operation.loss(inner, model, batch, next(steps), seed)

    return changed


def _of(loss: Loss, reader: EncodingContext, model: Any, batch: dict[str, Any]) -> Any:
    return loss(model, batch, reader)
