"""What a student is taught, and by whom."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.fewer_layers import evenly, from_layers
from tests.zoo import recipe


def test_layers_are_chosen_evenly_with_the_last():
    assert evenly(3, 12) == [3, 7, 11]
    assert evenly(1, 2) == [1]
    assert evenly(2, 2) == [0, 1]


def test_a_student_of_layers_has_the_teachers_weights(trained):
    teacher, student = (load(trained("bert").folder)[0] for _ in range(2))
    from_layers(student, 1)
    assert student.config.num_hidden_layers == 1
    assert torch.equal(
        student.bert.encoder.layer[0].output.dense.weight, teacher.bert.encoder.layer[1].output.dense.weight
    )
    with pytest.raises(HarnessError, match="the model has 1 layers; layers=1 must be fewer"):
        from_layers(student, 1)


def test_a_taught_student_agrees_with_its_teacher_more_than_with_chance(trained, compressed):
    model = trained("bert")
    folder, said = compressed(model, "distill:layers=1,alpha=1,hidden=0.1,epochs=4,learning_rate=0.001")
    assert said["after"]["parameters"] < said["before"]["parameters"]
    assert (model.predict(folder).values == model.predict().values).mean() > 0.8
    assert np.isfinite(said["steps"][0]["fit"]["loss"])


def test_a_student_with_a_tokenizer_of_its_own_is_taught_by_logits_alone(trained, compressed):
    student = recipe("bert").model_copy(
        update={"tokenizer": recipe("bert").tokenizer.model_copy(update={"vocab_size": 64})}
    )
    _, said = compressed(trained("bert"), "distill:student=small,epochs=1", student)
    assert said["steps"][0]["student"] == "small"
    with pytest.raises(HarnessError, match="the student's tokenizer is another"):
        compressed(trained("bert"), "distill:student=small,epochs=1,hidden=1", student)


def test_hidden_states_of_other_widths_are_not_compared(trained, compressed):
    narrow = recipe("bert")
    narrow = narrow.model_copy(update={"config": {**narrow.config, "hidden_size": 16}})
    with pytest.raises(HarnessError, match="the teacher is 32 wide and the student 16"):
        compressed(trained("bert"), "distill:student=small,hidden=1", narrow)


@pytest.mark.slow
def test_numbers_are_taught_as_numbers(trained, compressed):
    model = trained("bert", "stsb", 60)
    folder, _ = compressed(model, "distill:layers=1,epochs=1")
    assert np.isfinite(model.predict(folder).values).all()


def test_a_model_does_not_teach_itself(trained, compressed):
    with pytest.raises(HarnessError, match="a model cannot teach itself"):
        compressed(trained("bert"), "distill")


def test_the_soft_loss_is_hintons(trained, tmp_path):
    from types import SimpleNamespace

    from harness.compression.base import Request
    from harness.compression.distill import Distill
    from harness.compression.distillation_losses import OfLabels
    from harness.modeling.heads import EncodingContext

    model = trained("bert")
    options = Distill.Options(layers=1, temperature=3.0, alpha=1.0)
    teacher = OfLabels(Request(model.folder, model.folder, tmp_path, tmp_path, examples=model.examples), options)
    student = torch.randn(2, 2, generator=torch.Generator().manual_seed(0))
    batch = {"labels": torch.tensor([0, 1]), "example": torch.tensor([4, 2])}
    reader = EncodingContext(model.examples.task, model.examples.labels, None, 64)  # type: ignore[arg-type]
    loss = teacher.loss(lambda **given: SimpleNamespace(logits=student), batch, reader)
    p = (teacher.logits[[4, 2]] / 3).softmax(-1)
    q = (student / 3).softmax(-1)
    assert float(loss) == pytest.approx(9 * float((p * (p.log() - q.log())).sum()), rel=1e-4)
