"""Adapters in fine-tuning: which models get one, and what is kept and said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.specs import ModelSpec, TrainingSpec
from harness.modeling.heads import Head
from harness.modeling.weights import adapters
from harness.modeling.weights.adapter_files import AdapterBase, base_for, is_adapter
from harness.training.learners.base import FitRequest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

RANDOM_BASE = "peft: an adapter takes pretrained weights to start from, and these are random ones; leave it out"


def refused(model_spec: ModelSpec, is_random: bool) -> str | None:
    """Why the adapter of a model spec is not trained; None where it is, or none is asked for. Raises HarnessError where
    a package is missing.
    """
    if model_spec.training.peft is None:
        return None
    adapters.require_peft(model_spec.training.peft)
    if is_random:
        return RANDOM_BASE
    if model_spec.training.optimizer == "adafactor":
        return "peft: adafactor's steps are relative to weights, and an adapter's begin at zero; use adamw"
    return None


def adapted(request: FitRequest, model: PreTrainedModel, head: Head) -> Any:
    """The model with an adapter in it, where its spec asks for one. Raises HarnessError where it cannot have one."""
    spec, base = request.model_spec.training.peft, request.pretrained
    if spec is None:
        return None
    if base is None:
        raise HarnessError(f"model spec {request.model_spec.name}: {RANDOM_BASE}")
    if is_adapter(base):
        raise HarnessError(
            f"model {base}: it is an adapter; a further one is trained on its merged model: `harness compress --method "
            "merge`"
        )
    return adapters.attach(model, spec, head.auto_class, base, request.model_spec.name)


def saved(request: FitRequest, model: Any) -> AdapterBase:
    """Write the adapter into the request's directory; returns what it belongs to."""
    assert request.pretrained is not None
    model.cpu()
    adapters.save(model, request.directory)
    return base_for(request.pretrained, request.model_spec.pretrained)


def facts(training: TrainingSpec, model: PreTrainedModel) -> dict[str, Any]:
    """What a record says of an adapter; nothing of a model without."""
    if training.peft is None:
        return {}
    trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    return {"peft": str(training.peft), "trainable_parameters": trained}


def cautions(training: TrainingSpec) -> list[str]:
    """What a reader of its scores must know."""
    if training.peft is None or training.peft.quantize_base is None:
        return []
    return [f"The adapter was trained on weights in {training.peft.quantize_base}, and is served on whole ones."]
