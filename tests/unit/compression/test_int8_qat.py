"""Training that rounds: as the graph it will become, with gradients that pass, and the better for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.compression.fake_quant import fake_quantized, rounded_range, rounded_weight
from harness.compression.groups import chosen
from harness.compression.methods import parse_method
from harness.compression.options import LayerOptions
from harness.modeling.runtimes import open_model
from harness.modeling.runtimes.torch_eager import load
from harness.modeling.weights.layers import embeddings, linear_layers
from tests.unit.compression.test_round_trips import INPUTS


def logits_of(model, names) -> np.ndarray:
    with torch.inference_mode():
        return model(**{name: torch.tensor(INPUTS[name]) for name in names}).logits.numpy()


def weights_of(graph) -> list[np.ndarray]:
    """The integer matrices of a graph as floats."""
    from onnx import numpy_helper

    values = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    stems = [name.removesuffix("_quantized") for name in values if name.endswith("_quantized")]
    return [
        (values[f"{stem}_quantized"].astype(np.float32) - values[f"{stem}_zero_point"]) * values[f"{stem}_scale"]
        for stem in stems
    ]


@pytest.mark.parametrize("kind", ["bert", "gpt2"])
def test_a_fake_quantized_model_computes_what_its_int8_graph_does(trained, compressed, kind):
    import onnx

    trained_model = trained(kind)
    folder, _ = compressed(trained_model, "int8")
    model, tokenizer = load(trained_model.folder)
    names = tokenizer.model_input_names
    exact = logits_of(model, names)
    with fake_quantized(model, chosen(model, LayerOptions(), True)) as count:
        rounded = logits_of(model, names)
    assert np.array_equal(logits_of(model, names), exact)
    assert count == len(linear_layers(model))
    served = open_model(folder).forward({name: np.asarray(rows) for name, rows in INPUTS.items()})["logits"]
    assert np.abs(rounded - exact).max() > 1e-4
    assert np.abs(rounded - served).max() < 1e-4
    stored = weights_of(onnx.load(folder / "model.onnx").graph)
    wanted = [rounded_weight(layer.weight, 64, 0 if kind == "bert" else 1) for layer in linear_layers(model).values()]
    wanted += [rounded_range(table.weight) for table in embeddings(model).values()]
    assert len(stored) == len(wanted)
    for weight in (one.detach().numpy() for one in wanted):
        turned = [matrix for found in stored for matrix in (found, found.T) if matrix.shape == weight.shape]
        assert any(np.allclose(matrix, weight, atol=1e-6) for matrix in turned)


def test_rounding_has_256_levels_with_zero_among_them_and_lets_gradients_pass():
    inputs = torch.linspace(-1.0, 3.0, 1000, requires_grad=True)
    rounded = rounded_range(inputs)
    assert len(rounded.detach().unique()) == 256 and 0.0 in rounded
    assert (rounded - inputs).abs().max() <= 4 / 255 / 2 * 1.01
    rounded.sum().backward()
    assert inputs.grad is not None and torch.equal(inputs.grad, torch.ones(1000))
    assert torch.equal(rounded_range(torch.zeros(3)), torch.zeros(3))
    weight = torch.randn(4, 50, generator=torch.Generator().manual_seed(0))
    steps = rounded_weight(weight, 64, 0) / (weight.abs().amax(1, keepdim=True) / 64)
    assert torch.allclose(steps, steps.round(), atol=1e-4) and steps.abs().amax(1).tolist() == pytest.approx([64] * 4)


def test_training_changes_the_weights_and_answers_are_those_of_the_rounded_model(trained, compressed):
    model = trained("bert")
    folder, said = compressed(model, "int8-qat:epochs=1,learning_rate=0.001")
    step = said["steps"][0]
    assert said["runtime"] == "onnxruntime"
    assert step["coverage"] == {"linear": 13, "int8": 13, "float": 1, "head": ["classifier"]}
    assert step["fit"]["steps"] == 8 and step["fit"]["loss"] < 0.3
    before, plain, after = (model.predict(one) for one in (None, compressed(model, "int8")[0], folder))
    assert np.abs(after.columns["logits"] - plain.columns["logits"]).max() > 0.1
    assert (after.values == before.values).mean() > 0.9
    assert model.accuracy(folder) > 0.9


@pytest.mark.slow
def test_a_pruned_model_keeps_its_shapes_and_models_that_write_are_trained_too(trained, compressed):
    folder, said = compressed(trained("bert"), "prune-structured:0.5|int8-qat:0.2")
    assert said["after"]["parameters"] < 0.9 * said["before"]["parameters"]
    assert len(trained("bert").predict(folder).values) == 200
    model = trained("t5")
    folder, said = compressed(model, "int8-qat:0.2")
    assert said["runtime"] == "onnxruntime" and said["steps"][0]["fit"]["steps"] == 2
    assert said["steps"][0]["coverage"]["int8"] == 36
    assert (model.predict(folder).values == model.predict().values).mean() > 0.7
    assert parse_method("int8-qat").uses_data
