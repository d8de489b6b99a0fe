"""torchao: refused where it cannot be served; what it saves loads again, which a CPU can show though slowly."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

import harness.modeling.runtimes.torchao as runtime
from harness.compression.methods import parse_method
from harness.core.errors import HarnessError
from harness.modeling.runtimes import open_model
from harness.modeling.runtimes.torchao_file import FILE


def test_without_torchao_or_a_gpu_it_is_refused_in_one_line(trained, compressed, monkeypatch):
    import torch

    model = trained("bert")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torchao" else found(name))
    with pytest.raises(HarnessError, match=r"torchao is not installed; pip install 'nlp-harness\[torchao\]'"):
        compressed(model, "int8-torchao")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found("json") if name == "torchao" else found(name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(HarnessError, match="a CUDA GPU, and there is none here; on a CPU use int8 or int8-static"):
        compressed(model, "int8-torchao")
    with pytest.raises(HarnessError, match="which int8 does not read; put int8-torchao last"):
        parse_method("int8-torchao|int8")


@pytest.mark.parametrize("activations", ["dynamic", "float"])
def test_it_is_saved_as_safetensors_and_loads_with_the_same_logits(trained, compressed, monkeypatch, activations):
    pytest.importorskip("torchao")
    monkeypatch.setattr(runtime, "DEVICE", "cpu")
    model = trained("bert")
    folder, said = compressed(model, f"int8-torchao:{activations}")
    assert said["runtime"] == "torchao"
    assert said["steps"][0]["coverage"] == {"linear": 13, "int8": 13, "head": ["classifier"]}
    assert [file.name for file in folder.iterdir() if file.suffix in (".safetensors", ".bin")] == [FILE]
    assert said["after"]["parameters"] == said["before"]["parameters"]
    before, once, again = model.predict(), model.predict(folder), model.predict(folder)
    assert np.array_equal(once.columns["logits"], again.columns["logits"])
    assert 0 < np.abs(before.columns["logits"] - once.columns["logits"]).max() < 0.3


@pytest.mark.parametrize(
    ("kind", "method"), [("gpt2", "int8-torchao"), ("t5", "int8-torchao"), ("gpt2", "fp8-torchao:float")]
)
def test_models_that_write_are_read_too_their_conv1d_turned_into_linear(trained, compressed, monkeypatch, kind, method):
    pytest.importorskip("torchao")
    monkeypatch.setattr(runtime, "DEVICE", "cpu")
    model = trained(kind)
    folder, said = compressed(model, method)
    (step,) = said["steps"]
    assert step["conv1d_converted"] == (step["coverage"]["linear"] if kind == "gpt2" else 0)
    assert step["coverage"]["head"] == (["score"] if kind == "gpt2" else ["lm_head"])
    assert said["after"]["parameters"] == said["before"]["parameters"], "a shared embedding is stored and counted once"
    once, again = model.predict(folder), model.predict(folder)
    assert np.array_equal(once.columns["logits"], again.columns["logits"])
    assert (model.predict().values == once.values).mean() >= 0.95


def test_what_was_pruned_keeps_its_shapes(trained, compressed, monkeypatch):
    pytest.importorskip("torchao")
    monkeypatch.setattr(runtime, "DEVICE", "cpu")
    model = trained("bert")
    pruned, _ = compressed(model, "prune-structured:0.5")
    folder, said = compressed(model, "prune-structured:0.5|int8-torchao")
    assert said["steps"][1]["coverage"]["int8"] == 13
    assert said["after"]["parameters"] < 0.8 * said["before"]["parameters"]
    assert (model.predict(pruned).values == model.predict(folder).values).mean() >= 0.95
    with pytest.raises(HarnessError, match="compressed already and runs in torchao"):
        compressed(replace(model, folder=folder), "int8-torchao")


def test_a_file_of_other_weights_is_a_line(trained, compressed, monkeypatch):
    pytest.importorskip("torchao")
    from safetensors.torch import load_file, save_file

    monkeypatch.setattr(runtime, "DEVICE", "cpu")
    model = trained("bert")
    folder, _ = compressed(model, "int8-torchao")
    tensors = load_file(folder / FILE)
    save_file(tensors, folder / FILE)
    with pytest.raises(HarnessError, match=r"not weights of torchao: No tensors found"):
        open_model(folder)
    (folder / FILE).write_bytes(b"nothing")
    with pytest.raises(HarnessError, match="cannot load the model in"):
        open_model(folder)
