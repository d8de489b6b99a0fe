"""Where a training computes, in which precision, and what it draws. Imports torch: import it inside functions."""

from __future__ import annotations

import functools
import random
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from harness.core.errors import HarnessError
from harness.core.machine.calibrate import cpu_bf16_pays, wide_enough


def pick_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def pick_precision(wanted: str, device: torch.device, width: int | None = None) -> str:
    """`fp32` or `bf16` (autocast). `auto` is bf16 where the hardware has it, known of a GPU and probed of a CPU, where
    a model of few hidden units (`width`) gains nothing by it.

    Raises:
        HarnessError: bf16 is wanted on a CPU where it is slower than fp32.
    """
    if wanted == "fp32":
        return wanted
    has_bf16 = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_bf16_pays()
    if wanted == "bf16" and not has_bf16:
        raise HarnessError(f"precision bf16: this {device.type} has no fast bf16; use fp32 or auto")
    if wanted == "auto":
        return "bf16" if has_bf16 and (device.type == "cuda" or wide_enough(width)) else "fp32"
    return wanted


def seed_all(seed: int) -> None:
    """Seed Python, NumPy and torch."""
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def autocast(model: torch.nn.Module, device: torch.device, precision: str) -> Iterator[None]:
    """Within it the model computes in `precision`, and gives float32; what is made of its outputs is computed in that.

    It is put around `forward` of the object, so that a model within others is the one that computes so.
    """
    if precision == "fp32":
        yield
        return
    forward = model.forward

    @functools.wraps(forward)
    def cast(*args: Any, **kwargs: Any) -> Any:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = forward(*args, **kwargs)
        return _in_float32(outputs)

    model.forward = cast
    try:
        yield
    finally:
        vars(model).pop("forward", None)


@contextmanager
def without_autocast(model: Any) -> Iterator[None]:
    """Within `autocast`: the model computes in the precision of its weights."""
    wrapped = vars(model).pop("forward", None)
    try:
        yield
    finally:
        if wrapped is not None:
            model.forward = wrapped


def _in_float32(outputs: Any) -> Any:
    if isinstance(outputs, torch.Tensor):
        return outputs.float() if outputs.dtype in (torch.bfloat16, torch.float16) else outputs
    if isinstance(outputs, MutableMapping):
        for name, value in outputs.items():
            outputs[name] = _in_float32(value)
        return outputs
    if type(outputs) in (list, tuple):
        return type(outputs)(_in_float32(value) for value in outputs)
    return outputs
