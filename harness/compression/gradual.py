"""Pruning in the course of a fine-tuning: what its methods share."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from harness.compression.base import Request
from harness.compression.fine_tuning import FineTuningOptions, fit_request
from harness.compression.options import LayerOptions
from harness.compression.sparsity import sparsity_of
from harness.core.lazy import lazy
from harness.modeling.heads import HEADS
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.settings import read_settings
from harness.training.learners.transformer import train_and_save

groups = lazy("harness.compression.groups")
layers = lazy("harness.modeling.weights.layers")
masks_module = lazy("harness.compression.masks")
devices = lazy("harness.training.devices")


class GradualOptions(LayerOptions, FineTuningOptions):
    """`sparsity` is the fraction of zeros among the weights of the linear layers but the head, over all of them
    (`global`) or in each (`layer`). It grows from `begin` to `end`, fractions of the training, cubically.
    """

    sparsity: float = Field(default=0.5, gt=0, lt=1)
    scope: Literal["global", "layer"] = "global"
    begin: float = Field(default=0.1, ge=0, lt=1)
    end: float = Field(default=0.7, gt=0, le=1)

    @model_validator(mode="after")
    def _begins_before_its_end(self) -> GradualOptions:
        if self.begin >= self.end:
            raise ValueError(f"begin: {self.begin:g} must come before end, which is {self.end:g}")
        return self


def prune_gradually(request: Request, options: GradualOptions, movement: bool) -> dict[str, Any]:
    """Fine-tune the model on its task while its weights are pruned, and save it; returns what a record should say."""

    model, tokenizer = load(request.source)
    model.to(devices.pick_device())
    weights = {name: layer.weight for name, layer in groups.chosen(model, options).linear.items()}
    schedule = masks_module.Schedule(options.sparsity, options.begin, options.end)
    head = HEADS.get(read_settings(request.source).head)
    with masks_module.Growing(weights, schedule, options.scope == "layer", movement) as masks:
        fit_facts = train_and_save(fit_request(request, options), tokenizer, model, head, after_step=masks.after_step)
    every = {name: layer.weight for name, layer in layers.linear_layers(model).items()}
    return {**sparsity_of(every), "fit": fit_facts, "seen": len(request.data.train)}
