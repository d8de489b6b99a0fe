"""Training as a part of compression: how, where the method's options do not say, as the model was fine-tuned."""

from __future__ import annotations

from pydantic import Field

from harness.compression.base import Request, Student
from harness.core.errors import HarnessError
from harness.core.specs import ModelSpec
from harness.core.strict_spec import Strict
from harness.data.corpus import synthetic_sentences
from harness.training.learners.base import FitRequest


class FineTuningOptions(Strict):
    """Options that replace how the model was trained."""

    epochs: float | None = Field(default=None, gt=0, le=1000)
    batch_size: int | None = Field(default=None, ge=1, le=65536)
    learning_rate: float | None = Field(default=None, gt=0, le=10)


def fit_request(request: Request, options: FineTuningOptions) -> FitRequest:
    """A fit to the request's examples that writes into its target: of its student's model spec where it has one.

    The examples are taken as they are, without augmentation and perturbation.
    """

    data = request.data
    student = request.student or Student(ModelSpec(name="student", learner="transformer", training=request.training))
    if student.model_spec.training.peft is not None:
        raise HarnessError(f"student {student.model_spec.name}: it is trained whole; leave peft out of its model spec")
    asked = {name: getattr(options, name) for name in ("epochs", "batch_size", "learning_rate")}
    given = {name: value for name, value in asked.items() if value}
    training = student.model_spec.training.model_copy(
        update={"select": "last", "augment": None, "adversarial": None, **given}
    )
    return FitRequest(
        task=data.task,
        labels=data.labels,
        train=data.train,
        model_spec=student.model_spec.model_copy(update={"training": training}),
        seed=request.seed,
        directory=request.target,
        scratch=request.scratch,
        pretrained=student.pretrained,
        corpus=synthetic_sentences,
        report=request.report,
    )
