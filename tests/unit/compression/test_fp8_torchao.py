"""fp8 by torchao: refused where it cannot be served; what it saves loads again, which a CPU can show."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

import harness.modeling.runtimes.torchao as runtime
from harness.core.errors import HarnessError


def test_products_in_fp8_are_refused_where_the_gpu_has_none(trained, compressed, monkeypatch):
    import torch

    model = trained("bert")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found("json") if name == "torchao" else found(name))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (8, 6))
    with pytest.raises(HarnessError, match=r"compute capability 8\.9, and this is 8\.6; fp8-torchao:float keeps"):
        compressed(model, "fp8-torchao")


def test_weights_in_fp8_are_saved_as_safetensors_and_load_with_the_same_logits(trained, compressed, monkeypatch):
    pytest.importorskip("torchao")
    from harness.modeling.size import tensors

    monkeypatch.setattr(runtime, "DEVICE", "cpu")
    model = trained("bert")
    folder, said = compressed(model, "fp8-torchao:float")
    assert said["runtime"] == "torchao"
    assert said["steps"][0]["coverage"] == {"linear": 13, "fp8": 13, "head": ["classifier"]}
    types = [kind for _, kind, _ in tensors(folder / "model.torchao.safetensors")]
    assert types.count("F8_E4M3") == 13
    assert said["after"]["parameters"] == said["before"]["parameters"]
    assert said["after"]["bytes"] < 0.9 * said["before"]["bytes"], "a quarter for the layers; the embeddings stay"
    before, once, again = model.predict(), model.predict(folder), model.predict(folder)
    assert np.array_equal(once.columns["logits"], again.columns["logits"])
    assert 0 < np.abs(before.columns["logits"] - once.columns["logits"]).max() < 0.6
