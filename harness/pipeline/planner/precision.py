"""In which precision the models of a plan are trained."""

from __future__ import annotations

from pathlib import Path

from harness.core.machine.numerics import resolved_precision
from harness.core.specs import ModelSpec
from harness.pipeline.planner.costing import shape_in
from harness.training.learners import LEARNERS


def in_precision(model_spec: ModelSpec, folder: Path | None = None) -> ModelSpec:
    """With the precision that `auto` is here for a model so wide, as it says itself or the checkpoint in `folder`
    does; a learner that takes no steps has none.
    """
    learner, wanted = LEARNERS.get(model_spec.learner), model_spec.training.precision
    if learner.exact or learner.deterministic or wanted != "auto":
        return model_spec
    shape, _ = shape_in(model_spec, folder)
    changes = {"precision": resolved_precision(wanted, None if shape is None else shape.width)}
    return model_spec.model_copy(update={"training": model_spec.training.model_copy(update=changes)})
