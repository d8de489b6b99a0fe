"""Bytes, parameters and zeros of weight files."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from harness.errors import HarnessError
from harness.measure.size import count_tensor, gzip_bytes, size_of
from harness.runtimes import Settings


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


def test_the_file_the_runtime_loads_is_what_counts(folder):
    (folder / "model.onnx").write_bytes(b"x" * 99)
    assert size_of(folder, Settings(head="h", max_length=8))["files"] == ["model.safetensors"]
    graph = size_of(folder, Settings(head="h", max_length=8, runtime="onnxruntime"))
    assert graph["files"] == ["model.onnx"] and graph["bytes"] == 99
    assert "parameters" not in graph and "safetensors" in graph["absent"]["nonzeros"]


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
