"""Adversarial training in fine-tuning: where it is done, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.core import plugins
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.core.specs import ModelSpec
from harness.data.augment.base import Augmentation
from harness.modeling.heads import EncodingContext, Head
from harness.modeling.inference.batching import DataCollator
from harness.training.augment.losses import Loss
from harness.training.learners.base import FitRequest

if TYPE_CHECKING:
    from harness.training.adversarial.adversary import Adversary

adversary = lazy("harness.training.adversarial.adversary")
passes = lazy("harness.training.adversarial.passes")
devices = lazy("harness.training.devices")
unlabelled = lazy("harness.training.adversarial.unlabelled")


def refused(model_spec: ModelSpec, head: str | None) -> str | None:
    """Why a model spec's adversarial training is not done by a head; None where it is, or none is asked for."""
    training = model_spec.training
    if training.adversarial is None:
        return None
    if training.adversarial.unlabelled and head != "sequence-classification":
        return f"adversarial: texts without labels go with the head sequence-classification, not {head}"
    if training.augment is None:
        return None
    for name, _ in training.augment.named:
        operation: type[Augmentation] = plugins.lookup("augmentation", name)
        if operation.on == "training":
            return f"adversarial: {name} changes batches while a model is trained as well; leave one of them out"
    return None


def adversary_of(request: FitRequest, head: Head, loss: Loss, reader: EncodingContext) -> Adversary | None:
    """What makes a step's loss of `loss`; None where the training asks for none.

    Raises:
        HarnessError: the weights are sharded, and their moving average is asked for.
    """
    spec = request.model_spec.training.adversarial
    if spec is None:
        return None
    processes = request.processes
    if processes is not None and processes.sharded and spec.options.get("proximal"):
        raise HarnessError(
            f"model spec {request.model_spec.name}: adversarial: no moving average is kept of weights that are "
            f"sharded; set proximal=0"
        )

    def read(model: Any, batch: dict[str, Any]) -> Any:
        return loss(model, batch, reader)

    def outputs(model: Any, batch: dict[str, Any]) -> Any:
        return head.outputs(model, batch, reader)

    batches = None
    if request.unlabelled is not None:
        device = devices.pick_device()
        padding = DataCollator.of(reader.tokenizer, device)
        texts, size = head.encode(reader, request.unlabelled), request.model_spec.training.batch_size
        batches = unlabelled.UnlabelledBatches(texts, padding, size, request.seed, device)
    made: Adversary = adversary.Adversary(spec, passes.Reader(read, outputs), request.seed, batches)
    return made
