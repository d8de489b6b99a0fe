"""A student fine-tuned with a teacher: its soft answers and the labels (Hinton et al. 2015; of text Kim & Rush 2016),
on request its hidden states and attention maps as well (Sun et al. 2019; Jiao et al. 2020).
"""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from harness.compression.base import Compressor, Request, Target
from harness.compression.fine_tuning import FineTuningOptions, fit_request
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.layer_map import LayerMap, refuse_twice
from harness.modeling.weights.positions import positions_of
from harness.modeling.weights.settings import read_settings
from harness.training.defaults import length_for
from harness.training.learners.base import FitRequest
from harness.training.learners.transformer import train_and_save

fewer_layers = lazy("harness.modeling.weights.fewer_layers")
layers_module = lazy("harness.modeling.weights.layers")
masks_module = lazy("harness.compression.masks")
students = lazy("harness.compression.students")
distillation_losses = lazy("harness.compression.distillation_losses")
devices = lazy("harness.training.devices")


TAUGHT = ("sequence-classification", "question-answering", "token-classification", "seq2seq-lm", "causal-lm")


class Distill(Compressor):
    """The `student` is a model spec; without one it has `layers` evenly chosen layers of the model, or is the model
    itself where an earlier step of a chain has made it smaller. The teacher is the model the chain began with.

    Loss: `alpha` · T² · KL(teacher ‖ student) of logits divided by the `temperature` T, plus (1 - `alpha`) · that of
    the labels; for a number the squared distance to the teacher's. Logits are those of classes, of the places where an
    answer starts and ends, or of each token of a text. `hidden` weighs the squared distance of hidden states,
    `attention` that of attention maps; all that goes token by token needs the same tokenizer. `map` says which layer of
    the teacher goes with one of the student (`0:0,1:3`), and which the student starts with where it has `layers`; else
    they are spread evenly. The other options replace how the student is trained.
    """

    main = "student"
    uses_data = True

    class Options(FineTuningOptions):
        student: str | None = None
        layers: int | None = Field(default=None, ge=1)
        temperature: float = Field(default=2.0, gt=0)
        alpha: float = Field(default=0.5, ge=0, le=1)
        hidden: float = Field(default=0.0, ge=0)
        attention: float = Field(default=0.0, ge=0)
        map: LayerMap = ()

        @model_validator(mode="after")
        def _one_student(self) -> Distill.Options:
            if self.student is not None and self.layers is not None:
                raise ValueError("give either student or layers, not both")
            refuse_twice(self.map)
            student_layers = sorted(layer for layer, _ in self.map)
            if self.layers is not None and self.map and student_layers != list(range(self.layers)):
                raise ValueError(f"map: with layers={self.layers} it names each of 0…{self.layers - 1}")
            return self

    @property
    def student_name(self) -> str | None:
        name: str | None = self.options.student
        return name

    def not_applicable(self, target: Target) -> str | None:
        return None if target.head in TAUGHT else f"distill does not teach the head {target.head}"

    def compress(self, request: Request) -> dict[str, Any]:
        reason = self.not_applicable(Target("", _head_of(request)))
        if reason:
            raise HarnessError(f"model {request.source}: {reason}")
        if self.options.student is None and self.options.layers is None and request.source == request.original:
            raise HarnessError(
                "distill: a model cannot teach itself; name a student model spec (distill:NAME), or give layers=N, "
                "or put "
                "distill behind another step"
            )
        fit = fit_request(request, self.options)
        teacher = distillation_losses.teacher_of(request, self.options)
        if self.options.student is not None:
            tokenizer, model, head = students.from_spec(fit)
        else:
            model, tokenizer = load(request.source)
            if self.options.layers is not None:
                fewer_layers.from_layers(model, self.options.layers, [other for _, other in sorted(self.options.map)])
            head = teacher.head
        teacher.check(model, tokenizer, head, _length(fit, model, tokenizer))
        model.to(devices.pick_device())
        with masks_module.Masks(_with_zeros(model)) as masks:
            fit_facts = train_and_save(fit, tokenizer, model, head, teacher.loss, masks.after_step)
        return {
            "student": self.options.student or (f"{self.options.layers} layers" if self.options.layers else "itself"),
            "teacher_seen": len(request.data.train),
            "fit": fit_facts,
        }


def _length(fit: FitRequest, model: Any, tokenizer: Any) -> int:
    return length_for(fit.model_spec.training, positions_of(model, "encoder"), tokenizer, fit.family, fit.train)


def _with_zeros(model: Any) -> dict[str, Any]:
    """The weights an earlier step has pruned, by layer: what it set to zero stays so."""

    weights = {name: layer.weight for name, layer in layers_module.linear_layers(model).items()}
    return {name: weight for name, weight in weights.items() if bool((weight == 0).any())}


def _head_of(request: Request) -> str:
    return read_settings(request.source).head


COMPRESSOR = Distill
