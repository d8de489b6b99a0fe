"""A student fine-tuned with a teacher: its soft answers and the labels (Hinton et al. 2015), on request its hidden
states as well (Sun et al. 2019; Sanh et al. 2019).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, model_validator

from harness.compress.base import Compressor, Request, Student, Target
from harness.errors import HarnessError
from harness.specs import RecipeSpec, Strict, TrainingSpec

if TYPE_CHECKING:
    from harness.models.base import FitRequest


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

    class Options(Strict):
        student: str | None = None
        layers: int | None = Field(default=None, ge=1)
        temperature: float = Field(default=2.0, gt=0)
        alpha: float = Field(default=0.5, ge=0, le=1)
        hidden: float = Field(default=0.0, ge=0)
        epochs: float | None = Field(default=None, gt=0, le=1000)
        batch_size: int | None = Field(default=None, ge=1, le=65536)
        learning_rate: float | None = Field(default=None, gt=0, le=10)

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
        from harness.compress.students import from_layers, from_recipe
        from harness.compress.teaching import Teacher
        from harness.models.transformer import train_and_save
        from harness.runtimes.torch_eager import load

        reason = self.not_applicable(Target("", _head_of(request)))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        if self.options.student is None and self.options.layers is None and request.source == request.original:
            raise HarnessError(
                "distill: a model cannot teach itself; name a student recipe (distill:NAME), or give layers=N, or put "
                "distill behind another step"
            )
        fit = self._fit_request(request)
        teacher = Teacher(request, self.options)
        if self.options.student is not None:
            tokenizer, model, head = from_recipe(fit)
        else:
            model, tokenizer = load(request.source)
            if self.options.layers is not None:
                from_layers(model, self.options.layers)
            head = teacher.head
        teacher.check(model, tokenizer)
        said = train_and_save(fit, tokenizer, model, head, teacher.loss)
        return {
            "student": self.options.student or (f"{self.options.layers} layers" if self.options.layers else "itself"),
            "teacher_seen": len(request.data.train),
            "fit": said,
            "notes": teacher.notes,
        }

    def _fit_request(self, request: Request) -> FitRequest:
        from harness.models.base import FitRequest

        data = request.data
        student = request.student or Student(_nameless(request.training))
        given = {name: getattr(self.options, name) for name in ("epochs", "batch_size", "learning_rate")}
        training = student.recipe.training.model_copy(
            update={"select": "last", **{name: value for name, value in given.items() if value is not None}}
        )
        return FitRequest(
            task=data.task,
            labels=data.labels,
            train=data.train,
            recipe=student.recipe.model_copy(update={"training": training}),
            seed=request.seed,
            directory=request.target,
            scratch=request.scratch,
            pretrained=student.pretrained,
            corpus=_corpus,
            report=request.report,
        )


def _head_of(request: Request) -> str:
    from harness.runtimes.settings import read_settings

    return read_settings(request.source).head


def _nameless(training: TrainingSpec) -> RecipeSpec:
    return RecipeSpec(name="student", learner="transformer", training=training)


def _corpus() -> list[str]:
    from harness.execute.finetune import embedded_sentences

    return embedded_sentences()


COMPRESSOR = Distill
