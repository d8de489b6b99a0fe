"""Whether a fine-tuning is compiled where its model spec leaves that to the machine (`compile: auto`)."""

from __future__ import annotations

from pathlib import Path

from harness.core.machine.calibrate import calibration
from harness.core.machine.compiling import Compiled, compiler_missing, compiling, of_width
from harness.core.run_spec import RunSpec
from harness.core.specs import ModelSpec
from harness.pipeline.cost import machine_from
from harness.pipeline.planner.costing import shape_in
from harness.training.costs import Work

MARGIN = 2.0
"""So many times what compiling takes has to be saved: estimates are off by half."""
LAST_LAYER = 0.6
"""Of the last layer's time what a compiled fine-tuning gives up: it computes that layer at all positions (measured:
1.40 times for two layers).
"""
ONE_FUNCTION = 0.85
"""Of the time of layers written in single operations what they take in a fine-tuning that is not compiled: less dropout
and copying (measured: 1.16 times for two layers at all positions).
"""


def with_compiling(model_spec: ModelSpec, folder: Path | None, work: Work | None, run: RunSpec) -> ModelSpec:
    """The model spec with `compile` as it is for a fit of so much work: `auto` is yes where it is known to pay back on
    this machine within the fit.

    Args:
        model_spec: The model spec.
        folder: Where its weights come from.
        work: What the fit is estimated to take.
        run: The run.

    Returns:
        The same where it does not say `auto`.
    """
    training = model_spec.training
    if training.compile != "auto":
        return model_spec
    shape, _ = shape_in(model_spec, folder)
    able = training.adversarial is None and run.executor != "torchrun" and compiler_missing() is None
    wanted = False
    if able and shape is not None and work is not None and work.nominal > 0:
        seconds = machine_from(calibration()).seconds(work)
        wanted = seconds > 0 and pays(seconds, shape.layers + shape.decoder_layers, of_width(shape.width, compiling()))
    return model_spec.model_copy(update={"training": training.model_copy(update={"compile": wanted})})


def pays(seconds: float, layers: int, measured: Compiled) -> bool:
    """Whether a fit of so many seconds saves by compiling, with a margin, more than that takes.

    Args:
        seconds: What the fit is estimated to take.
        layers: Of the model.
        measured: What compiling a layer takes on this machine, and what it gains.

    Returns:
        Whether it is to be compiled.
    """
    gain = measured.gain * ONE_FUNCTION * (1 - LAST_LAYER / max(1, layers))
    return gain > 1 and seconds * (1 - 1 / gain) > MARGIN * measured.seconds * layers
