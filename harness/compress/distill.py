"""A student fine-tuned with a teacher: its soft answers and the labels (Hinton et al. 2015), on request its hidden
states as well (Sun et al. 2019; Sanh et al. 2019).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from harness.compress.base import Compressor, Request, Target
from harness.compress.refit import Refit, fit_request
from harness.errors import HarnessError


class Distill(Compressor):
    """The `student` is a recipe; without one it has `layers` evenly chosen layers of the model, or is the model itself
    where an earlier step of a chain has made it smaller. The teacher is the model the chain began with.

    Loss: `alpha` · T² · KL(teacher ‖ student) of logits divided by the `temperature` T, plus (1 - `alpha`) · that of
    the labels; for a number the squared distance to the teacher's. `hidden` weighs the squared distance of hidden
    states, student layers mapped evenly onto the teacher's; both need the same width and tokenizer. The other options
    replace how the student is trained.
    """

    main = "student"
    uses_data = True

    class Options(Refit):
        student: str | None = None
        layers: int | None = Field(default=None, ge=1)
        temperature: float = Field(default=2.0, gt=0)
        alpha: float = Field(default=0.5, ge=0, le=1)
        hidden: float = Field(default=0.0, ge=0)

        @model_validator(mode="after")
        def _one_student(self) -> Distill.Options:
            if self.student is not None and self.layers is not None:
                raise ValueError("give either student or layers, not both")
            return self

    @property
    def recipe(self) -> str | None:
        name: str | None = self.options.student
        return name

    def not_applicable(self, target: Target) -> str | None:
        if target.head != "sequence-classification":
            return f"distill teaches classes and numbers, not yet the head {target.head}"
        return None

    def compress(self, request: Request) -> dict[str, Any]:
        from harness.compress.masks import Masks
        from harness.compress.students import from_layers, from_recipe
        from harness.compress.teaching import Teacher
        from harness.models.transformer import train_and_save
        from harness.runtimes.torch_eager import load
        from harness.training.trainer import pick_device

        reason = self.not_applicable(Target("", _head_of(request)))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        if self.options.student is None and self.options.layers is None and request.source == request.original:
            raise HarnessError(
                "distill: a model cannot teach itself; name a student recipe (distill:NAME), or give layers=N, or put "
                "distill behind another step"
            )
        fit = fit_request(request, self.options)
        teacher = Teacher(request, self.options)
        if self.options.student is not None:
            tokenizer, model, head = from_recipe(fit)
        else:
            model, tokenizer = load(request.source)
            if self.options.layers is not None:
                from_layers(model, self.options.layers)
            head = teacher.head
        teacher.check(model, tokenizer)
        model.to(pick_device())  # type: ignore[arg-type]
        with Masks(_with_zeros(model)) as masks:
            said = train_and_save(fit, tokenizer, model, head, teacher.loss, masks.after_step)
        return {
            "student": self.options.student or (f"{self.options.layers} layers" if self.options.layers else "itself"),
            "teacher_seen": len(request.data.train),
            "fit": said,
            "notes": teacher.notes,
        }


def _with_zeros(model: Any) -> dict[str, Any]:
    """The weights an earlier step has pruned, by layer: what it set to zero stays so."""
    from harness.compress.layers import linear_layers

    weights = {name: layer.weight for name, layer in linear_layers(model).items()}
    return {name: weight for name, weight in weights.items() if bool((weight == 0).any())}


def _head_of(request: Request) -> str:
    from harness.runtimes.settings import read_settings

    return read_settings(request.source).head


COMPRESSOR = Distill
