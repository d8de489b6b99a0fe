"""What only a GPU serves, and what is measured on one."""

from __future__ import annotations

import numpy as np
import pytest

from harness.measurement.job import perform
from harness.measurement.request import Model, Request
from harness.measurement.workloads import Workload

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")

WITH_TORCHAO = ["int8-torchao", "int8-torchao:float", "fp8-torchao", "fp8-torchao:float", "int4-torchao:32"]


@pytest.mark.parametrize("method", ["bf16", *WITH_TORCHAO, "prune-2:4|semi-structured"])
def test_models_are_served_there_as_their_float_twins(trained, compressed, method):
    from harness.modeling.runtimes import open_model

    if "torchao" in method:
        pytest.importorskip("torchao")
    model = trained("wide-bert")
    folder, _ = compressed(model, method)
    like, _ = compressed(model, "prune-2:4|bf16") if "2:4" in method else (model.folder, None)
    opened = open_model(folder)
    assert opened.to_usual_device() == "cuda"
    assert str(opened.module.device) == "cuda:0"
    before, once, again = model.predict(like), model.predict(folder), model.predict(folder)
    assert np.array_equal(once.columns["logits"], again.columns["logits"])
    assert 0 <= np.abs(before.columns["logits"] - once.columns["logits"]).max() < 0.6
    assert (before.values == once.values).mean() >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        "bf16|compile",
        "bf16|compile:reduce-overhead",
        "int8-torchao|compile:regional=true",
        "fp8-torchao|compile:regional=true",
        "int4-torchao:32|compile:regional=true",
        "prune-2:4|semi-structured|compile:regional=true",
    ],
)
def test_they_are_compiled(trained, compressed, method):
    if "torchao" in method:
        pytest.importorskip("torchao")
    model = trained("wide-bert")
    eager, _ = compressed(model, method.rpartition("|")[0])
    folder, said = compressed(model, method)
    assert said["runtime"] == "torch-compile"
    one, other = model.predict(eager), model.predict(folder)
    assert np.abs(one.columns["logits"] - other.columns["logits"]).max() < 0.3
    assert (one.values == other.values).mean() >= 0.95


@pytest.mark.parametrize("method", ["bf16", "int8-torchao:float", "prune-2:4|semi-structured"])
def test_graphs_give_what_the_model_gives_for_every_batch_of_a_shape(trained, compressed, method):
    from harness.modeling.runtimes import open_model

    if "torchao" in method:
        pytest.importorskip("torchao")
    model = trained("wide-bert")
    eager, _ = compressed(model, method)
    folder, said = compressed(model, f"{method}|cuda-graphs")
    assert said["runtime"] == "torch-cuda-graphs"
    one, other = model.predict(eager), model.predict(folder)
    assert np.abs(one.columns["logits"] - other.columns["logits"]).max() < 0.1
    assert (one.values == other.values).mean() >= 0.98
    own, graphed = open_model(eager), open_model(folder)
    own.to_usual_device()
    random = np.random.default_rng(0)
    for length in (12, 12, 5, 12):
        ids = random.integers(5, 100, (3, length))
        mask = np.ones_like(ids)
        mask[random.integers(3), -random.integers(1, 4) :] = 0
        batch = {"input_ids": ids, "attention_mask": mask}
        assert np.abs(own.forward(batch)["logits"] - graphed.forward(batch)["logits"]).max() < 0.1
    assert len(graphed.module._graphs) == 2


@pytest.mark.slow
def test_graphs_are_captured_of_compiled_models(trained, compressed):
    model = trained("wide-bert")
    eager, _ = compressed(model, "bf16")
    folder, _ = compressed(model, "bf16|compile:regional=true|cuda-graphs")
    assert (model.predict(eager).values == model.predict(folder).values).mean() >= 0.98


def test_batches_of_few_texts_are_served_in_int8(trained, compressed):
    from harness.modeling.runtimes import open_model

    pytest.importorskip("torchao")
    model = trained("wide-bert")
    folder, _ = compressed(model, "int8-torchao")
    opened = open_model(folder)
    ids = np.random.default_rng(0).integers(5, 100, (20, 9))
    whole = opened.forward({"input_ids": ids, "attention_mask": np.ones_like(ids)})["logits"]
    few = opened.forward({"input_ids": ids[:2], "attention_mask": np.ones_like(ids[:2])})["logits"]
    assert np.abs(whole[:2] - few).max() < 0.1


@pytest.mark.parametrize("method", ["bf16", "int8-torchao"])
@pytest.mark.parametrize("kind", ["gpt2", "t5"])
def test_models_that_write_are_served_there(trained, compressed, kind, method):
    if "torchao" in method:
        pytest.importorskip("torchao")
    model = trained(kind)
    folder, _ = compressed(model, method)
    assert (model.predict().values == model.predict(folder).values).mean() >= 0.95


def test_a_measurement_says_where_it_was_made(trained, compressed):
    model = trained("wide-bert")
    folder, _ = compressed(model, "bf16")
    request = Request(Model("a", model.folder, "1"), [Model("b", folder, "2")], [Workload("8 × 32", 8, 32)], budget=1)
    result = perform(request)
    assert result["protocol"]["device"] == "cuda"
    assert result["protocol"]["margin"] == 0.03
    for name, one in result["models"].items():
        assert one["device"] == "cuda:0"
        device = one["memory"]["8 × 32"]["device"]
        assert one["size"]["bytes"] * 0.9 < device["loaded"] < device["peak"] <= device["reserved"], name
    assert (
        result["models"]["b"]["memory"]["8 × 32"]["device"]["peak"]
        < (result["models"]["a"]["memory"]["8 × 32"]["device"]["peak"])
    )
    assert result["environment"]["gpus"][0]["name"] == result["environment"]["workers"]["gpu"]["name"]
    joules = result["cells"]["8 × 32"].get("gpu_joules_per_example")
    if joules is None:
        assert "nlp-harness[nvml]" in result["absent"]["energy of the GPU"]
    else:
        assert min(joules.values()) > 0


def test_the_cpu_can_be_asked_for(trained):
    model = trained("wide-bert")
    request = Request(
        Model("a", model.folder, "1"),
        [Model("b", model.folder, "1")],
        [Workload("1 × 8", 1, 8)],
        budget=1,
        device="cpu",
    )
    result = perform(request)
    assert result["protocol"]["margin"] == 0.05
    assert {one["device"] for one in result["models"].values()} == {"cpu"}
