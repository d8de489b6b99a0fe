"""The same weights in another runtime: the same answers, and a clear word where it cannot be."""

from __future__ import annotations

import importlib.util
import shutil
from dataclasses import replace

import numpy as np
import pytest

from harness.compression import Target
from harness.compression.methods import parse_method
from harness.core.errors import HarnessError
from harness.modeling.runtimes import open_model
from tests.unit.compression.test_round_trips import INPUTS, LOAD

INPUTS_AS_ARRAYS = {name: np.asarray(rows) for name, rows in INPUTS.items()}


def same_answers(model, folder) -> bool:
    before, after = model.predict(), model.predict(folder)
    return np.array_equal(before.values, after.values) and np.allclose(
        before.columns["logits"], after.columns["logits"], atol=1e-4
    )


@pytest.mark.parametrize(("method", "runtime"), [("onnx", "onnxruntime"), ("openvino", "openvino")])
def test_a_float_graph_answers_as_the_model_does(trained, compressed, method, runtime):
    pytest.importorskip(runtime)
    model = trained("bert")
    folder, said = compressed(model, method)
    assert said["runtime"] == open_model(folder).name == runtime
    assert said["after"]["parameters"] == said["before"]["parameters"]
    assert same_answers(model, folder)
    with pytest.raises(HarnessError, match=f"a model in {runtime} cannot be trained"):
        open_model(folder).module.train()


def test_openvino_reads_what_was_calibrated_and_what_it_read_before(trained, compressed):
    pytest.importorskip("openvino")
    model = trained("bert")
    in_onnxruntime, _ = compressed(model, "int8-static:64")
    folder, said = compressed(replace(model, folder=in_onnxruntime), "openvino")
    assert [step["method"] for step in open_model(folder).settings.compression] == ["int8-static", "openvino"]
    before, after = model.predict(in_onnxruntime).columns["logits"], model.predict(folder).columns["logits"]
    assert np.abs(before - after).max() < 0.15 * np.ptp(before)
    assert np.abs(after - model.predict().columns["logits"]).max() > 1e-4
    assert said["after"]["bytes"] == said["before"]["bytes"]
    chained, said = compressed(model, "prune-structured:0.5|int8-static:64|openvino")
    assert said["runtime"] == "openvino" and len(model.predict(chained).values) == len(model.dev)
    dynamic, _ = compressed(model, "int8")
    with pytest.raises(HarnessError, match="compressed already and runs in onnxruntime"):
        compressed(replace(model, folder=dynamic), "openvino")


def test_without_openvino_the_remedy_is_said(trained, compressed, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "openvino" else found(name))
    with pytest.raises(HarnessError, match=r"openvino is not installed; pip install 'nlp-harness\[openvino\]'"):
        compressed(trained("bert"), "openvino")


def test_compile_copies_the_model_for_another_runtime(trained, compressed):
    model = trained("bert")
    folder, said = compressed(model, "int8-weight|compile")
    opened = open_model(folder)
    assert opened.name == said["runtime"] == "torch-compile" and opened.in_torch
    assert opened.settings.storage is not None
    assert said["after"]["bytes"] == compressed(model, "int8-weight")[1]["after"]["bytes"]
    assert any("compiles" in note for note in said["notes"])
    with pytest.raises(HarnessError, match="runs in torch-compile; compress its original"):
        compressed(replace(model, folder=folder), "int8")


def test_compile_needs_a_compiler_and_a_model_that_answers_in_one_pass(trained, compressed, monkeypatch):
    with pytest.raises(HarnessError, match="not yet the head seq2seq-lm"):
        compressed(trained("t5"), "compile")
    assert "causal-lm" in str(parse_method("compile").not_applicable(Target("gpt2", "causal-lm", "text-generation")))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(HarnessError, match=r"needs a C\+\+ compiler and finds .*; install g\+\+"):
        compressed(trained("bert"), "compile")


@pytest.mark.nightly
@pytest.mark.slow
def test_a_compiled_model_answers_as_in_eager_mode_in_a_fresh_process_too(trained, compressed):
    import json
    import subprocess
    import sys

    model = trained("bert")
    folder, _ = compressed(model, "compile")
    assert same_answers(model, folder)
    here = open_model(model.folder).forward(INPUTS_AS_ARRAYS)["logits"]
    done = subprocess.run(
        [sys.executable, "-c", LOAD, json.dumps(INPUTS), str(folder)], capture_output=True, text=True, check=True
    )
    assert np.allclose(json.loads(done.stdout.splitlines()[-1])[0], here, atol=1e-4)
