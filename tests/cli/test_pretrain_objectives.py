"""Objectives that take a pretraining of their own to judge: that they learn, and what a teacher is part of."""

from __future__ import annotations

import json
from functools import partial

import pytest

from tests.conftest import call_harness, read_json

RECIPE = """\
name: {name}
learner: transformer
config: {{model_type: bert, hidden_size: 32, num_hidden_layers: {layers}, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 64}}
tokenizer: {{kind: wordpiece, vocab_size: 300, corpus: pretraining}}
pretraining: {{objective: {objective}, options: {options}, sentences: 2000, steps: 20, block_size: 32, batch_size: 16, learning_rate: 1.0e-3}}
"""


@pytest.mark.nightly
@pytest.mark.slow
def test_token_order_learns_the_embedded_corpus(harness):
    """It stayed at chance while the pointer read the masked slots alone."""
    told = harness("pretrain", "bert-tiny-token-order", "--steps", "150", "--sentences", "20000", "--json").stdout
    scores = read_json(told)["scores"]
    assert scores["order_accuracy"]["low"] > 3 * scores["order_accuracy"]["chance"]


@pytest.mark.nightly
@pytest.mark.slow
def test_replaced_tokens_are_found_in_the_embedded_corpus(harness):
    """None was while the heads read their own position alone."""
    told = harness("pretrain", "bert-tiny-rtd", "--steps", "400", "--sentences", "20000", "--json").stdout
    scores = read_json(told)["scores"]
    assert scores["generator_perplexity"]["high"] < 30  # frequencies alone: some 150
    assert scores["detection_accuracy"]["low"] > scores["detection_accuracy"]["chance"]
    assert scores["detection_recall"]["low"] > 0.1


@pytest.mark.slow
def test_a_student_is_pretrained_from_a_checkpoint_which_is_part_of_what_it_is(machine_cache, tmp_path):
    call = partial(call_harness, tmp_path, machine_cache)
    (tmp_path / "teacher.yaml").write_text(RECIPE.format(name="teacher", layers=2, objective="mlm", options="{}"))
    call("pretrain", "teacher", "--include", "teacher.yaml", "-o", "teacher-model")
    student = RECIPE.format(
        name="student",
        layers=1,
        objective="mlm-distill",
        options="{teacher: ./teacher-model, hidden: 1, map: '0:1', from_teacher: true}",
    )
    (tmp_path / "student.yaml").write_text(student)
    asked = ("pretrain", "student", "--include", "student.yaml", "--json")
    first = read_json(call(*asked).stdout)
    assert first["scores"]["masked_accuracy"] and first["cell"]
    config = tmp_path / "teacher-model" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "layer_norm_eps": 1e-6}))
    assert "checksums.json" in call(*asked, code=2).stderr, "a change that was not meant"
    (tmp_path / "teacher-model" / "checksums.json").unlink()
    assert read_json(call(*asked).stdout)["cell"] != first["cell"]
    (tmp_path / "student.yaml").write_text(student.replace("./teacher-model", "./nowhere"))
    assert "nowhere" in call(*asked, code=2).stderr
