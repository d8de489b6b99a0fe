"""`compare --by layer`: what changed in each layer of a compressed model, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.gating.engine import judge
from harness.gating.layers import layers_of
from harness.gating.settings import GateSpec
from harness.report.text.gate_formats import layer_text
from tests.unit.gating.synthetic import evidence
from tests.unit.modeling.heads import given

FIELDS = {
    "bert": ("AutoModelForSequenceClassification", "wordpiece", "sequence-classification"),
    "t5": ("AutoModelForSeq2SeqLM", "unigram", "seq2seq-lm"),
}
TASK = given.task("classification", labels=["negative", "positive"], prompt="{text}")
SPLIT = given.split({"text": ["the old stone house", "a small bird sings", "under the tree"]}, [0, 1, 0])


@pytest.fixture
def saved(tmp_path):
    def save(name: str, kind: str = "bert", change=lambda model: None, **settings):
        auto_class, tokens, head = FIELDS[kind]
        model = given.model(auto_class, kind, tokens, **settings)
        change(model)
        model.save_pretrained(tmp_path / name)
        given.tokenizer(tokens).save_pretrained(tmp_path / name)
        (tmp_path / name / "harness.json").write_text(json.dumps({"head": head, "max_length": 64, "fitted": {}}))
        return tmp_path / name

    return save


def pair_of():
    references = np.array([0, 1, 0])
    sides = [evidence({"made-up": (["accuracy"], references, [references])}) for _ in range(2)]
    marked = []
    for cell, side in zip(("base", "candidate"), sides, strict=True):
        scored = {key: replace(one, cell=cell, learner="transformer") for key, one in side.scored.items()}
        marked.append(replace(side, scored=scored))
    return judge(*marked, GateSpec())[1][0]


def compared(base, candidate):
    folders = {"base": base, "candidate": candidate}
    found = layers_of(pair_of(), TASK, lambda part: SPLIT, lambda one: folders[one.cell])
    return {one.layer: one for one in found}


def test_only_the_changed_layer_moved_and_what_comes_after_it_differs(saved):
    import torch

    def halved(model):
        with torch.no_grad():
            model.bert.encoder.layer[1].output.dense.weight *= 0.5

    found = compared(saved("base"), saved("candidate", change=halved))
    assert list(found) == [
        "bert.embeddings", "bert.encoder.layer.0", "bert.encoder.layer.1", "bert.pooler", "classifier",
    ]  # fmt: skip
    assert found["bert.encoder.layer.0"].weights == 0 and found["bert.encoder.layer.0"].mse == 0
    assert 0 < found["bert.encoder.layer.1"].weights < 0.5
    assert found["bert.encoder.layer.1"].mse > 0.001 and found["bert.encoder.layer.1"].cka < 1
    assert found["bert.pooler"].weights == 0 and found["bert.pooler"].mse > 0
    text = layer_text(list(found.values()))
    assert "bert.encoder.layer.1" in text and "Kornblith" in text


def test_models_that_write_are_compared_on_their_references(saved):
    folder = saved("base", "t5")
    found = compared(folder, folder)
    assert {"encoder.block.0", "decoder.block.1"} <= set(found)
    assert found["decoder.block.1"].cka == pytest.approx(1) and found["decoder.block.1"].mse == 0


def test_another_architecture_is_refused_with_what_it_lacks(saved):
    with pytest.raises(HarnessError, match=r"not of one architecture: only one .* has bert\.encoder\.layer\.1"):
        compared(saved("base"), saved("candidate", num_hidden_layers=1))


def test_a_model_that_is_not_at_hand_is_refused(saved):
    with pytest.raises(HarnessError, match="the model encoder is not at hand"):
        layers_of(pair_of(), TASK, lambda part: SPLIT, lambda one: None)
    with pytest.raises(HarnessError, match="examples of made-up dev are not at hand"):
        layers_of(pair_of(), TASK, lambda part: None, lambda one: None)


def test_a_model_in_another_runtime_is_refused(saved):
    base = saved("base")
    other = base.with_name("other")
    shutil.copytree(base, other)
    settings = json.loads((other / "harness.json").read_text())
    (other / "harness.json").write_text(json.dumps(settings | {"runtime": "onnxruntime"}))
    with pytest.raises(HarnessError, match="runs in onnxruntime, which shows no layers"):
        compared(base, other)
