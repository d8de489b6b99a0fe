"""Compressors: a fine-tuned model to a smaller or faster one. One module each."""

from __future__ import annotations

import inspect
from pathlib import Path

from harness.compress.base import Compressor, Request, Student, Target
from harness.core.plugins import Plugins

COMPRESSORS: Plugins[type[Compressor]] = Plugins(
    "compressor",
    "COMPRESSOR",
    {
        "bf16": "harness.compress.bf16",
        "compile": "harness.compress.compile",
        "cuda-graphs": "harness.compress.cuda_graphs",
        "distill": "harness.compress.distill",
        "fp8-torchao": "harness.compress.fp8_torchao",
        "int4-torchao": "harness.compress.int4_torchao",
        "int8": "harness.compress.int8",
        "int8-qat": "harness.compress.int8_qat",
        "int8-static": "harness.compress.int8_static",
        "int8-torch": "harness.compress.int8_torch",
        "int8-torchao": "harness.compress.int8_torchao",
        "int8-weight": "harness.compress.int8_weight",
        "onnx": "harness.compress.onnx_float",
        "openvino": "harness.compress.openvino",
        "prune-2:4": "harness.compress.prune_two_four",
        "prune-magnitude": "harness.compress.prune_magnitude",
        "prune-movement": "harness.compress.prune_movement",
        "prune-structured": "harness.compress.prune_structured",
        "semi-structured": "harness.compress.semi_structured",
    },
)


def register(name: str, compressor: type[Compressor]) -> type[Compressor]:
    """Add a compressor from outside: `--compress NAME` and `harness compress --method NAME` find it.

    Raises:
        HarnessError: the name is built in, or taken by another module.
    """
    return COMPRESSORS.register(name, compressor, source=Path(inspect.getsourcefile(compressor) or ""))


__all__ = ["COMPRESSORS", "Compressor", "Request", "Student", "Target", "register"]
