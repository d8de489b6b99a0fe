"""Integers in place of floats: how close they stay, what they cover, what they save."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.compression.int8_weight import quantized
from harness.core.errors import HarnessError


def test_int8_stays_close_and_covers_every_linear_layer(trained, compressed):
    import onnx

    model = trained("bert")
    folder, said = compressed(model, "int8")
    coverage = said["steps"][0]["coverage"]
    assert coverage == {"linear": 13, "int8": 13, "float": 1, "head": ["classifier"]}
    nodes = onnx.load(folder / "model.onnx").graph.node
    assert sum(node.op_type == "MatMulInteger" for node in nodes) == 13
    before, after = model.predict(), model.predict(folder)
    logits, close = before.columns["logits"], after.columns["logits"]
    assert np.abs(logits - close).max() < 0.1 * np.ptp(logits)
    assert abs(model.accuracy(folder) - model.accuracy()) <= 0.03
    assert model.accuracy() > 0.9
    assert said["after"]["parameters"] == said["before"]["parameters"]


@pytest.mark.parametrize("head", ["sequence-classification", "seq2seq-lm"])
@pytest.mark.parametrize(
    "method", ["prune-magnitude:0.8|int8", "prune-magnitude:0.999|int8", "prune-magnitude:0.999|onnx"]
)
def test_matrices_that_are_all_zero_are_covered_as_well(trained, compressed, head, method):
    """The exporter keeps one of several equal matrices, and hides the others behind it."""
    import onnx

    model = trained(head)
    folder, said = compressed(model, method)
    coverage = said["steps"][-1].get("coverage")
    assert coverage is None or coverage["int8"] >= coverage["linear"] > 0
    for file in folder.glob("*.onnx"):
        graph = onnx.load(file).graph
        weights = {one.name for one in graph.initializer if len(one.dims) == 2}
        assert not [node for node in graph.node if node.op_type == "Identity" and node.input[0] in weights]
    assert len(model.predict(folder).values) == len(model.dev)


def test_question_answering_is_exported_with_both_outputs(trained, compressed):
    model = trained("bert", "squad", 60)
    folder, said = compressed(model, "int8")
    assert said["steps"][0]["coverage"]["head"] == ["qa_outputs"]
    before, after = model.predict(), model.predict(folder)
    assert (before.values == after.values).mean() > 0.8


def test_an_exported_graph_takes_any_batch_and_length(trained, compressed):
    from harness.modeling.runtimes import open_model

    folder, _ = compressed(trained("bert"), "int8")
    model = open_model(folder, threads=1)
    for size, length in ((1, 3), (5, 40)):
        ids = np.full((size, length), 7)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        assert model.forward(given | {"unheard_of": ids})["logits"].shape == (size, 2)
    model.close()


def test_without_onnxruntime_the_remedy_is_said(trained, compressed, monkeypatch):
    import importlib.util

    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "onnxruntime" else found(name, *more)
    )
    with pytest.raises(HarnessError, match=r"onnxruntime is not installed; pip install 'nlp-harness\[onnx\]'"):
        compressed(trained("bert"), "int8")
    assert "torch" in sys.modules


def test_weights_are_symmetric_to_half_a_step_for_each_channel():
    weight = torch.randn(6, 10, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 2, 6)[:, None]
    for axis, matrix in ((0, weight), (1, weight.T.contiguous())):
        stored, scale = quantized(matrix, axis)
        assert stored.dtype == torch.int8 and stored.shape == matrix.shape and scale.shape == (6,)
        shape = (-1, 1) if axis == 0 else (1, -1)
        assert ((stored * scale.view(shape) - matrix).abs() <= scale.view(shape) / 2 * 1.001).all()
        assert stored.abs().amax(1 - axis).tolist() == [127] * 6
    assert quantized(torch.zeros(2, 3), 0)[0].tolist() == [[0] * 3] * 2


def test_stored_weights_save_three_quarters_of_the_disk_and_keep_predictions(trained, compressed):
    model = trained("bert")
    folder, said = compressed(model, "int8-weight")
    assert said["after"]["bytes"] < 0.4 * said["before"]["bytes"]
    assert said["after"]["parameters"] == said["before"]["parameters"]
    before, after = model.predict(), model.predict(folder)
    assert (before.values == after.values).mean() >= 0.98
    assert any("saves disk, not time or memory" in note for note in said["notes"])


def test_transformers_alone_cannot_mistake_a_compressed_folder_for_a_plain_one(trained, compressed):
    from transformers import AutoModelForSequenceClassification

    for method in ("int8-weight", "prune-structured:0.5", "int8"):
        folder, _ = compressed(trained("bert"), method)
        with pytest.raises((OSError, RuntimeError, ValueError)):
            AutoModelForSequenceClassification.from_pretrained(folder)


def test_a_compressed_model_is_not_fine_tuned_by_mistake(trained, compressed):
    from harness.modeling.weights.settings import refuse_compressed

    folder, _ = compressed(trained("bert"), "prune-structured:0.5")
    with pytest.raises(HarnessError, match="it is compressed"):
        refuse_compressed(folder)
    refuse_compressed(trained("bert").folder)


@pytest.mark.parametrize("bias", [True, False])
def test_integer_layers_compute_what_their_integers_say(bias):
    """Weights and activations that are whole numbers come out exactly: nothing is lost but by rounding."""
    from harness.modeling.runtimes.int8_linear import Int8Linear

    random = torch.Generator().manual_seed(0)
    weight = torch.randint(-127, 128, (24, 40), generator=random).to(torch.int8)
    scale = torch.logspace(-2, 0, 24)
    offset = torch.randn(24, generator=random) if bias else None
    inputs = torch.randint(0, 128, (3, 5, 40), generator=random).float()
    inputs[0, 0, :2] = torch.tensor([0.0, 127.0])  # the range that seven bits hold
    wanted = torch.nn.functional.linear(inputs, weight.float() * scale[:, None], offset)
    assert torch.allclose(Int8Linear(weight, scale, offset)(inputs), wanted, rtol=1e-5, atol=1e-3)
    spread = torch.randn(7, 40, generator=random)
    rough = Int8Linear(weight, scale, offset)(spread)
    exact = torch.nn.functional.linear(spread, weight.float() * scale[:, None], offset)
    assert (rough - exact).abs().max() < 0.05 * exact.abs().max()


def test_integer_layers_stay_on_the_cpu_where_there_is_a_gpu(trained, compressed, monkeypatch):
    """The device of this test takes a model and loses its weights."""
    model = trained("bert")
    folder, _ = compressed(model, "int8-torch")
    before = model.predict(folder).values
    monkeypatch.setattr("harness.training.devices.pick_device", lambda: torch.device("meta"))
    assert (model.predict(folder).values == before).all()
    with pytest.raises(KeyError, match="meta"):
        model.predict()


def test_a_torch_without_int8_kernels_is_refused(trained, compressed, monkeypatch):
    import harness.modeling.runtimes.int8_linear as kernels

    monkeypatch.setattr(kernels.torch.backends, "quantized", SimpleNamespace(supported_engines=["none"]))
    with pytest.raises(HarnessError, match=r"no int8 kernels for this CPU; use int8"):
        compressed(trained("bert"), "int8-torch")


def test_a_model_that_makes_nothing_of_segments_is_exported_without_them(trained, compressed):
    import onnxruntime

    model = trained("deberta-v3")
    folder, _ = compressed(model, "prune-structured:0.25|onnx")
    session = onnxruntime.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    assert {one.name for one in session.get_inputs()} == {"input_ids", "attention_mask"}
    pruned, _ = compressed(model, "prune-structured:0.25")
    one, other = (model.predict(place).columns["logits"] for place in (folder, pruned))
    assert np.abs(one - other).max() < 1e-3
    folder, said = compressed(model, "int8")
    assert said["steps"][0]["coverage"]["int8"] == said["steps"][0]["coverage"]["linear"] == 12
    assert (model.predict(folder).values == model.predict().values).mean() > 0.9
