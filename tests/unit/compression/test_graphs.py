"""CUDA graphs and sparse tensor cores where there is no GPU: refused in a line, and what can be seen of them there."""

from __future__ import annotations

import numpy as np
import pytest

from harness.compression import Target
from harness.compression.methods import parse_method
from harness.core.errors import HarnessError
from harness.measurement.job import common_device
from harness.measurement.request import Model, Request
from harness.modeling.runtimes import devices_of
from harness.modeling.weights.settings import Compiling, Settings, read_settings, write_settings


@pytest.fixture
def no_gpu(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.mark.parametrize(
    ("method", "why"), [("cuda-graphs", "cuda-graphs are of"), ("prune-2:4|semi-structured", "a mask")]
)
def test_without_a_gpu_they_are_refused(trained, compressed, no_gpu, method, why):
    with pytest.raises(HarnessError, match=f"{why}.*" if why.startswith("cuda") else f"there is none here; .*{why}"):
        compressed(trained("bert"), method)


def test_a_mask_is_seen_in_the_weights_alone(trained, compressed):
    from harness.modeling.runtimes.torch_eager import load
    from harness.modeling.runtimes.torch_semi_structured import is_two_of_four, masked

    model = trained("wide-bert")
    folder, _ = compressed(model, "prune-2:4:skip=layer.1")
    names = masked(load(folder)[0])
    assert names and not any("layer.1." in name for name in names)
    assert not masked(load(model.folder)[0])
    import torch

    assert is_two_of_four(torch.tensor([[1.0, 0, 2, 0], [0, 0, 0, 3]]))
    assert not is_two_of_four(torch.tensor([[1.0, 1, 2, 0]]))
    assert not is_two_of_four(torch.zeros(2, 6))


def test_a_model_without_a_mask_is_refused(trained, compressed, monkeypatch):
    monkeypatch.setattr("harness.compression.semi_structured.require", lambda: None)
    with pytest.raises(HarnessError, match=r"none of its 13 linear layers has a 2:4 mask.*put prune-2:4 before"):
        compressed(trained("wide-bert"), "semi-structured")
    _, said = compressed(trained("wide-bert"), "prune-2:4|semi-structured")
    assert said["steps"][1]["coverage"] == {"linear": 13, "2:4": 13, "head": ["classifier"]}
    assert said["runtime"] == "torch-semi-structured"


def test_calls_on_a_cpu_are_the_models_own(trained):
    import torch

    from harness.modeling.runtimes import open_model
    from harness.modeling.runtimes.graphed import Graphed
    from harness.modeling.runtimes.torch_eager import unwrapped

    model = open_model(trained("bert").folder).module
    graphed = Graphed(model).eval()
    ids = torch.tensor([[1, 5, 7]])
    assert torch.equal(graphed(input_ids=ids).logits, model(input_ids=ids).logits)
    assert graphed.config is model.config and not graphed._graphs
    assert unwrapped(torch.compile(graphed)) is model


def test_chains_that_cannot_be_are_refused(trained, compressed, monkeypatch):
    monkeypatch.setattr("harness.compression.cuda_graphs.require", lambda: None)
    with pytest.raises(HarnessError, match="compiled with reduce-overhead, which makes graphs of its own"):
        compressed(trained("bert"), "compile:reduce-overhead|cuda-graphs")
    with pytest.raises(HarnessError, match="regional goes with the mode default"):
        parse_method("compile:mode=reduce-overhead,regional=true")
    method = parse_method("cuda-graphs")
    assert "not yet the head causal-lm" in (method.not_applicable(Target("gpt2", "causal-lm")) or "")
    with pytest.raises(HarnessError, match="int8 gives a model for onnxruntime, which cuda-graphs does not read"):
        parse_method("int8|cuda-graphs")
    folder, said = compressed(trained("bert"), "bf16|compile:regional=true|cuda-graphs")
    settings = read_settings(folder)
    assert said["runtime"] == settings.runtime == "torch-cuda-graphs"
    assert settings.graphed == "torch-compile" and settings.compiling == Compiling(inner="torch-bf16", regional=True)
    assert devices_of(settings) == ("cuda",)


SERVED = {
    "both": {"runtime": "torch-bf16"},
    "cpu": {"runtime": "onnxruntime"},
    "gpu": {"runtime": "torch-compile", "compiling": {"inner": "torchao"}},
}


@pytest.mark.parametrize(
    ("names", "asked", "found"),
    [
        (["both", "both"], "auto", "auto"), (["both", "cpu"], "auto", "cpu"), (["both", "gpu"], "auto", "cuda"),
        (["both", "both"], "cpu", "cpu"), (["both", "both"], "cuda", "cuda"),
        (["both", "cpu"], "cuda", "one device (--device cuda), but these have one only: b on cpu"),
        (["both", "cpu", "gpu"], "auto", "one device, but these have one only: b on cpu, c on cuda"),
    ],
)  # fmt: skip
def test_all_models_of_a_measurement_are_on_one_device(tmp_path, names, asked, found):
    models = []
    for letter, name in zip("abc", names, strict=False):
        folder = tmp_path / letter
        folder.mkdir()
        write_settings(folder, Settings.model_validate({"head": "none", "max_length": 8, **SERVED[name]}))
        models.append(Model(letter, folder, letter))
    request = Request(models[0], models[1:], [], device=asked)
    if found in ("auto", "cpu", "cuda"):
        assert common_device(request) == found
        return
    with pytest.raises(HarnessError) as raised:
        common_device(request)
    assert found in str(raised.value)


def test_few_rows_are_filled_up_and_dropped_again():
    import torch

    from harness.modeling.runtimes.few_rows import ROWS, FewRows

    given = []
    layer = torch.nn.Linear(8, 4)
    layer.__class__ = FewRows
    hook = torch.nn.Linear.forward
    one = torch.randn(3, 2, 8)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(torch.nn.Linear, "forward", lambda self, rows: given.append(len(rows)) or hook(self, rows))
        few, many = layer(one), layer(torch.randn(ROWS, 8))
    assert given == [ROWS, ROWS] and few.shape == (3, 2, 4) and many.shape == (ROWS, 4)
    np.testing.assert_allclose(few.detach(), hook(layer, one).detach(), atol=1e-6)
