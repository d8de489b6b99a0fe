"""Model weights of torchao in a safetensors file: the parts of each tensor beside one another, what puts them together
in the file's metadata. Reading makes tensors of torchao's own kinds alone. Imports torch: import it inside functions.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from harness.core.errors import HarnessError

FILE = "model.torchao.safetensors"
"""Not a name that `transformers` looks for."""


def is_torchao(tensor: object) -> bool:
    return type(tensor).__module__.startswith("torchao")


def write(model: torch.nn.Module, file: Path) -> None:
    """All weights of a model, each that is shared once."""
    from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict

    kept: dict[str, torch.Tensor] = {}
    places: dict[int, str] = {}
    for name, tensor in model.state_dict().items():
        if is_torchao(tensor) or not tensor.numel() or places.setdefault(tensor.data_ptr(), name) == name:
            kept[name] = tensor if is_torchao(tensor) else tensor.contiguous()
    tensors, metadata = flatten_tensor_state_dict(kept)
    save_file(tensors, file, metadata)


def read(file: Path) -> dict[str, torch.Tensor]:
    """By name, on the CPU. Raises HarnessError for a file that `write` has not written."""
    from torchao.prototype.safetensors.safetensors_support import unflatten_tensor_state_dict

    with safe_open(file, framework="pt") as opened:
        metadata = opened.metadata() or {}
        tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    try:
        restored, rest = unflatten_tensor_state_dict(tensors, metadata)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise HarnessError(f"{file}: not weights of torchao: {' '.join(str(error).split())[:200]}") from None
    if rest:
        raise HarnessError(f"{file}: {next(iter(rest))} belongs to no weight of torchao")
    return dict(restored)
