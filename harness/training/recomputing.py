"""Less memory, and less time, for the same steps of training: activations that are computed again, and models that are
compiled. Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch._dynamo.exc import TorchDynamoException
from transformers import PreTrainedModel

from harness.core.errors import HarnessError
from harness.modeling.runtimes import torch_compile


def recompute_activations(model: torch.nn.Module) -> None:
    """Keep the inputs of layers alone and compute the rest once more for the gradients (Chen et al. 2016)."""
    able = [
        module for module in model.modules()
        if isinstance(module, PreTrainedModel) and module.supports_gradient_checkpointing
    ]  # fmt: skip
    if not able:
        raise HarnessError(f"gradient_checkpointing: a {type(model).__name__} has no layers that are computed anew")
    for module in able:
        enable = getattr(module, "activation_checkpointing_enable", None) or module.gradient_checkpointing_enable
        enable({"use_reentrant": False})


@contextmanager
def compiled(model: torch.nn.Module, wanted: bool) -> Iterator[None]:
    """Within, calls of the model run what `torch.compile` makes of it, for batches of any shape; afterwards it is as it
    was. Raises HarnessError where it cannot be compiled.
    """
    if not wanted:
        yield
        return
    torch_compile.require()
    model.compile(dynamic=True)
    try:
        yield
    except TorchDynamoException as error:
        reason = " ".join(str(error).split())[:200]
        raise HarnessError(f"compile: torch.compile cannot compile a {type(model).__name__}: {reason}") from None
    finally:
        model._compiled_call_impl = None
