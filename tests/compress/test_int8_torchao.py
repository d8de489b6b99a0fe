"""torchao: refused where it cannot be served; what it saves loads again, which a CPU can show though slowly."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import numpy as np
import pytest

import harness.runtimes.torchao as runtime
from harness.compress.methods import parse_method
from harness.errors import HarnessError


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
    assert [file.name for file in folder.iterdir() if file.suffix in (".safetensors", ".bin")] == ["model.safetensors"]
    assert said["after"]["parameters"] == said["before"]["parameters"]
    before, once, again = model.predict(), model.predict(folder), model.predict(folder)
    assert np.array_equal(once.columns["logits"], again.columns["logits"])
    assert 0 < np.abs(before.columns["logits"] - once.columns["logits"]).max() < 0.3
    with pytest.raises(HarnessError, match="torchao left 8 of its 8 linear layers float"):
        compressed(trained("gpt2"), "int8-torchao")
    pruned, _ = compressed(model, "prune-structured:0.5")
    with pytest.raises(HarnessError, match="reads models as they were fine-tuned"):
        compressed(replace(model, folder=pruned), "int8-torchao")
