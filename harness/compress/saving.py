"""Model folders of compressed models: written with what loading them takes, and measured."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.runtimes.onnx_runtime import FILE as ONNX_FILE
from harness.runtimes.settings import Settings, read_settings, write_settings

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

TORCHAO_SCALES = ("_weight_scale", "_weight_zero_point")
WEIGHTS = ("*.safetensors", "*.onnx", "*.onnx.data")


def save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: Path, target: Path) -> None:
    """Write a model made from that of `source`, with the shapes its config does not tell."""
    from harness.runtimes.torch_eager import shapes_of

    model.save_pretrained(target)
    tokenizer.save_pretrained(target)
    write_settings(target, settled(source, shapes=shapes_of(model)))


def moved(source: Path, target: Path, runtime: str) -> None:
    """Copy a model folder for another runtime, its weights as they are."""
    shutil.copytree(source, target, dirs_exist_ok=True)
    write_settings(target, read_settings(source).model_copy(update={"runtime": runtime}))


def settled(source: Path, **changes: Any) -> Settings:
    """The settings of a folder's model, with changes; in plain storage where none is given."""
    return read_settings(source).model_copy(update={"shapes": None, "storage": None, **changes})


def facts(folder: Path) -> dict[str, Any]:
    """`{"runtime", "parameters", "nonzero", "bytes"}` of a model folder: weights as they are stored, each once.

    `bytes` are those of the weight files, and of nothing else in the folder. Scales and zero points are no parameters.
    """
    settings = read_settings(folder)
    size = sum(path.stat().st_size for pattern in WEIGHTS for path in folder.glob(pattern))
    count, nonzero = _onnx_counts(folder) if (folder / ONNX_FILE).exists() else _tensor_counts(folder)
    return {"runtime": settings.runtime, "parameters": count, "nonzero": nonzero, "bytes": size}


def _tensor_counts(folder: Path) -> tuple[int, int]:
    from safetensors import safe_open

    from harness.runtimes.torch_eager import SCALE

    count = nonzero = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping
                if not name.endswith((SCALE, *TORCHAO_SCALES)):
                    tensor = file.get_tensor(name)
                    count += tensor.numel()
                    nonzero += int(tensor.count_nonzero())
    return count, nonzero


def _onnx_counts(folder: Path) -> tuple[int, int]:
    """Of the initializers that are weights: floats, integers of eight bits, and biases of thirty-two."""
    import numpy as np
    import onnx
    from onnx import numpy_helper

    graph = onnx.load(folder / ONNX_FILE).graph
    count = nonzero = 0
    for tensor in graph.initializer:
        if tensor.name.endswith(("_scale", "_zero_point")):
            continue
        values = numpy_helper.to_array(tensor)
        if values.ndim and (values.dtype.kind == "f" or values.dtype in (np.int8, np.uint8, np.int32)):
            count += values.size
            nonzero += int(np.count_nonzero(values))
    return count, nonzero
