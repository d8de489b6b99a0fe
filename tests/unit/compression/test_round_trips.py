"""Every compressor's output is saved, loads again in a fresh process, and predicts what it predicted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.zoo import recipe

MAPS = Path("/proc/self/maps")
LOAD = """
import json, sys
import numpy as np
from harness.modeling.runtimes import open_model
inputs = {name: np.asarray(rows) for name, rows in json.loads(sys.argv[1]).items()}
print(json.dumps([open_model(folder).forward(inputs)["logits"].tolist() for folder in sys.argv[2:]]))
"""
INPUTS = {
    "input_ids": [[5, 9, 7, 8, 11], [6, 8, 9, 10, 12]],
    "attention_mask": [[1] * 5, [1, 1, 1, 1, 0]],
    "token_type_ids": [[0] * 5] * 2,
}
METHODS = [
    "int8", "int8-static", "int8-qat:0.2", "int8-weight", "int8-torch", "bf16", "prune-structured:0.5|bf16", "onnx", "openvino", "prune-magnitude:0.5", "prune-2:4", "prune-structured:0.5", "distill:layers=1,epochs=1",
    "distill:student=small-bert,epochs=1", "prune-structured:0.5|int8", "prune-structured:0.5|int8-static", "int8-static|openvino", "prune-structured:0.5|distill:epochs=1|int8-weight",
    "prune-magnitude:epochs=1", "prune-structured:0.5|prune-movement:sparsity=0.5,epochs=1",
    "int8:skip=layer.0,embeddings", "int8-static:examples=8,skip=layer.0,embeddings", "int8-qat:epochs=0.2,only=layer.0.ffn",
    "int8-weight:only=embeddings", "prune-structured:amount=0.5,skip=layer.1.attention",
    "prune-structured:0.5|int8-torch", "int8-torch:skip=layer.0,embeddings",
]  # fmt: skip


@pytest.mark.slow
def test_every_compressed_model_loads_in_a_fresh_process_with_the_same_logits(trained, compressed):
    from harness.compression.methods import parse_method
    from harness.modeling.runtimes import open_model

    model = trained("bert")
    folders, logits = [], []
    for method in METHODS:
        folder, said = compressed(model, method, recipe("bert") if "small-bert" in method else None)
        here = open_model(folder)
        assert here.name == said["runtime"] == parse_method(method).runtime
        assert not [file for file in folder.rglob("*") if file.suffix in (".bin", ".pt", ".pkl", ".pth")]
        assert len(model.predict(folder).values) == len(model.dev)
        folders.append(str(folder))
        logits.append(here.forward({name: np.asarray(rows) for name, rows in INPUTS.items()})["logits"])
    command = [sys.executable, "-c", LOAD, json.dumps(INPUTS), *folders]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    for method, one, other in zip(METHODS, logits, json.loads(done.stdout.splitlines()[-1]), strict=True):
        assert np.allclose(one, other, atol=1e-6), method


@pytest.mark.parametrize("kind", ["gpt2", "t5"])
@pytest.mark.parametrize(
    "method", ["int8-weight", "int8-torch", "prune-magnitude", "prune-2:4", "prune-structured:0.5", "int8"]
)
def test_gpt2_and_t5_are_compressed_too(trained, compressed, kind, method):
    model = trained(kind)
    folder, said = compressed(model, method)
    before, after = model.predict(), model.predict(folder)
    assert len(after.values) == len(before.values)
    if method in ("int8-weight", "int8-torch"):
        assert said["after"]["bytes"] < 0.5 * said["before"]["bytes"]
        assert np.abs(after.columns["logits"] - before.columns["logits"]).max() < 0.3
    if method == "prune-structured:0.5":
        assert said["after"]["parameters"] < said["before"]["parameters"]
        units = said["steps"][0]["units"]
        assert units["heads"]["after"] == units["heads"]["before"] // 2
    if method == "int8":
        step = said["steps"][0]
        assert step["coverage"]["linear"] == {"gpt2": 8, "t5": 36}[kind]
        assert step["conv1d_converted"] == {"gpt2": 8, "t5": 0}[kind]
        assert (after.values == before.values).mean() > 0.9


def test_a_damaged_weight_file_is_a_line(trained, compressed):
    from harness.compression.int8_weight import FILE
    from harness.core.errors import HarnessError
    from harness.modeling.runtimes import open_model

    folder, _ = compressed(trained("bert"), "int8-weight")
    (folder / FILE).write_bytes((folder / FILE).read_bytes()[:1000])
    with pytest.raises(HarnessError, match=f"cannot load the model in {folder}: "):
        open_model(folder)


@pytest.mark.skipif(not MAPS.exists(), reason="the kernel does not say what is mapped")
@pytest.mark.parametrize("method", ["int8-weight", "int8-torch"])
def test_the_file_of_stored_integers_is_not_kept_in_memory(trained, compressed, method):
    from harness.compression.int8_weight import FILE
    from harness.modeling.runtimes import open_model

    folder, _ = compressed(trained("bert"), method)
    model = open_model(folder)
    assert str(folder / FILE) not in MAPS.read_text()
    assert model.module is not None
