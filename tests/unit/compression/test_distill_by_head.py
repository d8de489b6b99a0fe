"""Students of question answering and of generative models, layer maps, and losses of attention maps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from harness.compression.base import Request
from harness.compression.distill import Distill
from harness.compression.distillation_losses import teacher_of
from harness.core.errors import HarnessError
from harness.modeling.heads import EncodingContext
from harness.modeling.inference.batching import DataCollator
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.fewer_layers import from_layers
from harness.modeling.weights.settings import read_settings
from tests.conftest import ROOT
from tests.zoo import CONFIGS, recipe


def taught(trained_model, tmp_path, student, **options):
    """A teacher, a batch of two of its training examples, a reader, and the loss of `student` on the batch."""
    given = Distill.Options(layers=1, **options)
    request = Request(trained_model.folder, trained_model.folder, tmp_path, tmp_path, examples=trained_model.examples)
    teacher = teacher_of(request, given)
    teacher.check(student, teacher.tokenizer, teacher.head, 64)
    data, settings = trained_model.examples, read_settings(trained_model.folder)
    reader = EncodingContext(data.task, data.labels, teacher.tokenizer, settings.max_length, 0, settings.fitted)
    encoded = teacher.head.encode(reader, data.train.head(2))
    rows = [{**row, "example": index} for index, row in enumerate(encoded.rows(range(2)))]
    batch = DataCollator.of(teacher.tokenizer, torch.device("cpu"))(rows)
    with torch.no_grad():
        return teacher, batch, float(teacher.loss(student, dict(batch), reader))


def divergence(student: torch.Tensor, teacher: torch.Tensor, temperature: float) -> float:
    p, q = (teacher / temperature).softmax(-1), (student / temperature).softmax(-1)
    return temperature**2 * float((p * (p.log() - q.log())).sum())


def test_spans_are_taught_by_the_logits_of_where_they_start_and_end(trained, tmp_path):
    model = trained("bert", "squad", 40)
    student, _ = load(model.folder)
    from_layers(student, 1)
    teacher, batch, loss = taught(model, tmp_path, student, alpha=0.75, temperature=3.0)
    with torch.no_grad():
        given = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
        own, other = student(**given), teacher.model(**given)
    by_hand = 0.0
    for name, label in (("start_logits", "start_positions"), ("end_logits", "end_positions")):
        for row, length in enumerate(batch["attention_mask"].sum(1)):
            by_hand += 0.75 * divergence(own[name][row, :length], other[name][row, :length], 3.0) / 2
            by_hand += 0.25 * float(cross_entropy(own[name][row], batch[label][row])) / 2
    assert loss == pytest.approx(by_hand, rel=1e-3)


def test_text_is_taught_token_by_token(trained, tmp_path):
    model = trained("t5")
    student, _ = load(model.folder)
    from_layers(student, 1)
    teacher, batch, loss = taught(model, tmp_path, student, alpha=0.75, temperature=3.0)
    given = {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}
    with torch.no_grad():
        own, other = student(**given).logits, teacher.model(**given).logits
    by_hand = 0.0
    for row, labels in enumerate(batch["labels"]):
        for place in range(int((labels != -100).sum())):
            by_hand += 0.75 * divergence(own[row, place], other[row, place], 3.0)
            by_hand += 0.25 * float(cross_entropy(own[row, place], labels[place]))
    assert loss == pytest.approx(by_hand, rel=1e-3)


PREDICT = """
import json, sys
from pathlib import Path
from harness import data
from harness.training.learners.base import PredictRequest
from harness.training.learners.transformer import LEARNER
from harness.core.registry import load_registry
for folder, name in zip(sys.argv[1::2], sys.argv[2::2]):
    task = load_registry().task(name)
    loaded = data.load(task, "synthetic", 40)
    split = loaded.splits[task.eval[0]].head(8)
    print(json.dumps(LEARNER.predict(PredictRequest(task, loaded.labels, split, Path(folder))).values.tolist()))
"""


@pytest.mark.slow
def test_students_of_each_head_predict_the_same_in_a_fresh_process(trained, compressed):
    here, asked = [], []
    for kind, task in (("bert", "squad"), ("t5", "sst2"), ("gpt2", "multi30k-en-fr")):
        model = trained(kind, task, 40)
        folder, said = compressed(model, "distill:layers=1,epochs=1,hidden=0.1,attention=1")
        assert said["after"]["parameters"] < said["before"]["parameters"]
        assert np.isfinite(said["steps"][0]["fit"]["loss"])
        assert load(folder)[0].config.num_hidden_layers == 1
        here.append(replace(model, dev=model.dev.head(8)).predict(folder).values.tolist())
        asked += [str(folder), task]
    command = [sys.executable, "-c", PREDICT, *asked]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert [json.loads(line) for line in done.stdout.splitlines()] == here


def test_a_student_that_agrees_in_everything_has_no_loss_but_that_of_the_labels(trained, tmp_path):
    model = trained("t5")
    student = load(model.folder)[0]
    _, _, loss = taught(model, tmp_path, student, alpha=1.0, hidden=1.0, attention=1.0)
    assert loss == pytest.approx(0.0, abs=1e-4)


def test_attention_maps_are_compared_over_an_examples_own_tokens(trained, tmp_path):
    model = trained("bert")
    student, _ = load(model.folder)
    from_layers(student, 1, [0])
    with torch.no_grad():
        student.bert.encoder.layer[0].attention.self.query.weight.mul_(3.0)
    teacher, batch, loss = taught(model, tmp_path, student, alpha=1.0, attention=2.0, map=((0, 0),))
    _, _, without = taught(model, tmp_path, student, alpha=1.0)
    given = {name: batch[name] for name in ("input_ids", "attention_mask", "token_type_ids")}
    with torch.no_grad():
        own, other = (one(**given, output_attentions=True).attentions[0] for one in (student, teacher.model))
    by_hand = sum(
        float((own[row, :, :n, :n] - other[row, :, :n, :n]).pow(2).mean())
        for row, n in enumerate(batch["attention_mask"].sum(1))
    )
    assert by_hand > 0
    assert loss - without == pytest.approx(2.0 * by_hand, rel=1e-3)


def test_a_map_says_which_layers_a_student_starts_with(trained, compressed):
    model = trained("bert")
    student = load(model.folder)[0]
    teacher = load(model.folder)[0]
    from_layers(student, 1, [0])
    assert torch.equal(
        student.bert.encoder.layer[0].output.dense.weight, teacher.bert.encoder.layer[0].output.dense.weight
    )
    _, said = compressed(model, "distill:layers=1,map=0:0,hidden=1,epochs=1")
    assert said["steps"][0]["options"]["map"] == [[0, 0]]
    with pytest.raises(HarnessError, match="map names layer 5, but the teacher's last is 1"):
        compressed(model, "distill:layers=1,map=0:5")


@pytest.mark.parametrize("kept", [[1], [0]])
def test_the_first_layer_of_a_t5_student_has_the_table_of_positions(kept):
    import transformers

    values = {name: value for name, value in CONFIGS["t5"].items() if name != "model_type"}
    config = transformers.T5Config(vocab_size=50, **values, decoder_start_token_id=0)
    model = transformers.T5ForConditionalGeneration(config)
    table = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight
    from_layers(model, 1, kept)
    assert len(model.encoder.block) == len(model.decoder.block) == model.config.num_decoder_layers == 1
    assert len(model.encoder.block[0].layer) == 2
    assert torch.equal(model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias.weight, table)
    fresh = transformers.T5ForConditionalGeneration(model.config)
    assert fresh.state_dict().keys() == model.state_dict().keys()


def refused(trained, compressed, method, **changes):
    base = recipe("bert")
    student = base.model_copy(update={"config": {**base.config, **changes.pop("config", {})}})
    if changes:
        student = student.model_copy(update={"tokenizer": base.tokenizer.model_copy(update=changes)})
    with pytest.raises(HarnessError) as error:
        compressed(trained, method, student)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_students_that_cannot_be_compared_are_refused_in_one_line(trained, compressed):
    said = refused(trained("bert", "squad", 40), compressed, "distill:student=small", vocab_size=100)
    assert "answers are compared token by token, but the student's tokenizer is another" in said
    said = refused(trained("bert"), compressed, "distill:student=small,attention=1", config={"num_attention_heads": 2})
    assert "a layer of the teacher has 4 heads and the student's 2" in said
    said = refused(trained("bert"), compressed, "distill:student=small,hidden=1", config={"num_hidden_layers": 3})
    assert "the student has 3 layers and the teacher 2; say which go together (map=STUDENT:TEACHER,…)" in said
    said = refused(trained("t5"), compressed, "distill:student=small")
    assert "the teacher's head is seq2seq-lm, the student's sequence-classification" in said
