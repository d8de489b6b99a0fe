"""Bytes, parameters and zeros of weight files."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.modeling.runtimes import Settings
from harness.modeling.size import count_tensor, gzip_bytes, size_of


@pytest.fixture
def folder(tmp_path):
    import torch
    from safetensors.torch import save_file

    tensors = {
        "float": torch.tensor([0.0, -0.0, 1.0, -2.0]),
        "brain": torch.tensor([0.0, -0.0, 3.0]).to(torch.bfloat16),
        "half": torch.tensor([0.0, 5.0]).half(),
        "int8": torch.tensor([0, -1, 7], dtype=torch.int8),
        "yes": torch.tensor([True, False]),
    }
    save_file(tensors, tmp_path / "model.safetensors")
    return tmp_path


def test_parameters_and_those_that_are_not_zero(folder):
    size = size_of(folder)
    assert (size["parameters"], size["nonzeros"]) == (14, 7)
    assert size["bytes"] == (folder / "model.safetensors").stat().st_size
    assert size["files"] == ["model.safetensors"] and "absent" not in size


def test_shards_are_added_up(folder):
    one = size_of(folder)
    (folder / "more.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    two = size_of(folder)
    assert [two[name] for name in ("bytes", "parameters", "nonzeros", "gzip_bytes")] == [
        2 * one[name] for name in ("bytes", "parameters", "nonzeros", "gzip_bytes")
    ]


def test_gzip_finds_the_zeros_of_pruning(tmp_path):
    file = tmp_path / "weights"
    random = np.random.default_rng(0).normal(size=100_000).astype(np.float32)
    file.write_bytes(random.tobytes())
    dense = gzip_bytes(file)
    assert dense == len(zlib.compress(random.tobytes(), 6))
    random[np.random.default_rng(1).random(len(random)) < 0.9] = 0
    file.write_bytes(random.tobytes())
    assert gzip_bytes(file) < 0.2 * dense


def test_a_large_tensor_is_counted_in_parts():
    data = np.zeros(3_000_000, dtype=np.float32)
    data[::3] = 1.5
    assert count_tensor("F32", data.view(np.uint8)) == (3_000_000, 1_000_000)


def save_graph(file, **arrays):
    onnx = pytest.importorskip("onnx")
    tensors = [onnx.numpy_helper.from_array(array, name.replace("__", ".")) for name, array in arrays.items()]
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [], tensors)), file)


def test_the_file_the_runtime_loads_is_what_counts(folder):
    save_graph(folder / "model.onnx", w=np.array([[0.0, 2.0]], np.float32))
    assert size_of(folder, Settings(head="h", max_length=8))["files"] == ["model.safetensors"]
    graph = size_of(folder, Settings(head="h", max_length=8, runtime="onnxruntime"))
    assert graph["files"] == ["model.onnx"] and graph["bytes"] == (folder / "model.onnx").stat().st_size
    assert (graph["parameters"], graph["nonzeros"]) == (2, 1)


def test_of_a_quantized_graph_the_weights_count_and_not_their_scales_or_shapes(tmp_path):
    save_graph(
        tmp_path / "model.onnx",
        w_quantized=np.array([[0, 3, -3]], np.int8),
        b_quantized=np.array([7, 0], np.int32),
        w_scale=np.array([0.5, 0.5], np.float32),
        w_zero_point=np.array([0, 0], np.int8),
        shape=np.array([1, 2], np.int64),
        epsilon=np.array(1e-5, np.float32),
    )
    size = size_of(tmp_path, Settings(head="h", max_length=8, runtime="onnxruntime"))
    assert (size["parameters"], size["nonzeros"]) == (5, 3)


def test_scales_beside_stored_weights_are_no_parameters(tmp_path):
    import torch
    from safetensors.torch import save_file

    tensors = {"w": torch.tensor([[0, 5]], dtype=torch.int8), "w::scale": torch.tensor([0.1])}
    save_file(tensors, tmp_path / "weights.safetensors")
    storage = {"file": "weights.safetensors", "format": "int8", "axes": {"w": 0}}
    size = size_of(tmp_path, Settings(head="h", max_length=8, storage=storage))
    assert (size["parameters"], size["nonzeros"]) == (2, 1)


def test_what_a_compressor_says_is_what_measuring_counts(folder):
    from harness.compression.saving import facts

    (folder / "harness.json").write_text('{"head": "sequence-classification", "max_length": 8}')
    size, said = size_of(folder), facts(folder)
    assert (said["parameters"], said["nonzero"], said["bytes"]) == (size["parameters"], size["nonzeros"], size["bytes"])


def test_a_file_of_another_format_has_no_count_and_the_reason(tmp_path):
    (tmp_path / "model.pt2").write_bytes(b"x" * 99)
    size = size_of(tmp_path, Settings(head="h", max_length=8, runtime="other"))
    assert size["bytes"] == 99 and "parameters" not in size
    assert "model.pt2 is in no format that is read here" in size["absent"]["nonzeros"]


def test_a_damaged_graph_is_named(tmp_path):
    pytest.importorskip("onnx")
    (tmp_path / "model.onnx").write_bytes(b"\xff" * 99)
    with pytest.raises(HarnessError, match=r"model\.onnx is damaged"):
        size_of(tmp_path, Settings(head="h", max_length=8, runtime="onnxruntime"))


@pytest.mark.parametrize("content", [b"", b"\x05\x00\x00\x00\x00\x00\x00\x00{}", b"\xff" * 20])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(HarnessError, match=r"model\.safetensors is damaged"):
        size_of(tmp_path)


def test_a_cut_file_is_damaged(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(HarnessError, match="damaged"):
        size_of(folder)


def test_no_weights_is_an_error(tmp_path):
    with pytest.raises(HarnessError, match="no weights"):
        size_of(tmp_path)


def test_int4_weights_of_torchao_are_not_counted(tmp_path):
    import torch
    from safetensors.torch import save_file

    packed = {
        "a._weight_qdata": torch.ones(2, 1, 32, 4, dtype=torch.int32),
        "a._weight_scale_and_zero": torch.ones(1, 16, 2, dtype=torch.bfloat16),
        "b.weight": torch.ones(3),
    }
    save_file(packed, tmp_path / "model.safetensors")
    size = size_of(tmp_path, Settings(head="none", max_length=8, runtime="torchao"))
    assert "parameters" not in size and "int4" in size["absent"]["nonzeros"]
    assert size["bytes"] == (tmp_path / "model.safetensors").stat().st_size
    packed["a._weight_qdata"] = torch.ones(2, 8, dtype=torch.int8)
    save_file(packed, tmp_path / "model.safetensors")
    assert size_of(tmp_path, Settings(head="none", max_length=8, runtime="torchao"))["parameters"] == 16 + 3
    compiled = Settings(head="none", max_length=8, runtime="torch-compile", compiling={"inner": "torchao"})
    assert size_of(tmp_path, compiled)["parameters"] == 16 + 3
