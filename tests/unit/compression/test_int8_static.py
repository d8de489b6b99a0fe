"""Ranges of activations set on training examples: what they cover, what they depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.compression.methods import parse_method
from harness.core.errors import HarnessError


def scales(folder) -> dict[str, float]:
    """The scales of activations in a folder's graph, by name."""
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(folder / "model.onnx").graph
    inputs = {node.input[1] for node in graph.node if node.op_type == "QuantizeLinear"}
    return {one.name: float(numpy_helper.to_array(one)) for one in graph.initializer if one.name in inputs}


def test_every_linear_layer_but_the_head_is_computed_in_integers_and_predictions_stay(trained, compressed):
    model = trained("bert")
    folder, said = compressed(model, "int8-static:64")
    step = said["steps"][0]
    assert step["coverage"] == {"linear": 13, "int8": 13, "float": 1, "head": ["classifier"]}
    assert step["examples"] == 64 and step["dynamic"] == 1
    assert said["after"]["parameters"] == said["before"]["parameters"]
    before, after = model.predict(), model.predict(folder)
    logits, close = before.columns["logits"], after.columns["logits"]
    assert 0 < np.abs(logits - close).max() < 0.15 * np.ptp(logits)
    assert abs(model.accuracy(folder) - model.accuracy()) <= 0.03


def test_ranges_come_from_the_examples_and_the_calibration_alone(trained, compressed):
    model = trained("bert")
    first, again, more, entropy, percentile = (
        scales(compressed(model, f"int8-static:{options}")[0])
        for options in (
            "examples=8", "examples=8", "examples=240", "examples=240,calibration=entropy",
            "examples=240,calibration=percentile",
        )
    )  # fmt: skip
    assert first and first == again
    assert first.keys() == more.keys() == entropy.keys() == percentile.keys()
    assert all(more[name] >= first[name] for name in first) and more != first
    for clipped in (entropy, percentile):
        assert clipped != more and all(clipped[name] <= more[name] * 1.05 for name in more)
    assert entropy != percentile


def test_a_layer_that_stays_float_is_an_error_not_a_slow_model(trained, compressed, monkeypatch):
    import harness.compression.graphs

    found = harness.compression.graphs.products_of
    lost = "/model/bert/encoder/layer.0/output/dense/MatMul"

    def without_one(file, modules):
        names = [name for name in found(file, modules) if name != lost]
        return [*names, lost] if "classifier" in modules else names

    monkeypatch.setattr(harness.compression.graphs, "products_of", without_one)
    with pytest.raises(HarnessError, match="only 12 of its 13 linear layers became int8"):
        compressed(trained("bert"), "int8-static:8")


@pytest.mark.slow
def test_question_answering_gpt2_and_a_pruned_model_are_calibrated_too(trained, compressed):
    squad = trained("bert", "squad", 60)
    folder, said = compressed(squad, "int8-static:20")
    assert said["steps"][0]["coverage"]["head"] == ["qa_outputs"]
    assert (squad.predict(folder).values == squad.predict().values).mean() > 0.8
    gpt2 = trained("gpt2")
    folder, said = compressed(gpt2, "int8-static:20")
    assert said["steps"][0]["conv1d_converted"] == said["steps"][0]["coverage"]["int8"] == 8
    assert (gpt2.predict(folder).values == gpt2.predict().values).mean() > 0.9
    bert = trained("bert")
    folder, said = compressed(bert, "prune-structured:0.5|int8-static:20")
    assert said["steps"][1]["coverage"]["int8"] == 13
    assert len(bert.predict(folder).values) == len(bert.dev)


def test_layers_to_skip_stay_float(trained, compressed):
    for skipped, int8, dynamic in (("layer.0", 7, 1), ("pooler.dense", 12, 0)):
        _, said = compressed(trained("bert"), f"int8-static:examples=8,skip={skipped}")
        step = said["steps"][0]
        assert step["coverage"] == {"linear": 13, "int8": int8, "float": 14 - int8, "head": ["classifier"]}
        assert step["dynamic"] == dynamic


def test_a_pooler_without_a_bias_is_covered_too(trained, compressed, tmp_path):
    import shutil

    from safetensors.torch import load_file, save_file

    model = trained("bert")
    folder = shutil.copytree(model.folder, tmp_path / "unbiased")
    tensors = load_file(folder / "model.safetensors")
    tensors["bert.pooler.dense.bias"].zero_()
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    _, said = compressed(replace(model, folder=folder), "int8-static:20")
    assert said["steps"][0]["coverage"]["int8"] == 13


def test_it_needs_examples_and_a_head_that_can_be_exported(trained, compressed):
    assert parse_method("int8-static").uses_data
    with pytest.raises(HarnessError, match="name their task with --task"):
        compressed(replace(trained("bert"), examples=None), "int8-static")
    with pytest.raises(HarnessError, match="int8-static does not yet export the head seq2seq-lm"):
        compressed(trained("t5"), "int8-static")
    with pytest.raises(HarnessError, match="calibration: input should be 'minmax', 'entropy' or 'percentile'"):
        parse_method("int8-static:calibration=mean")
