"""PyTorch in bfloat16 on a CUDA GPU, with linear layers multiplied by its sparse tensor cores: those whose weights
have a 2:4 mask. The kernels are cuSPARSELt's.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.runtimes.base import Runtime
from harness.modeling.runtimes.torch_bf16 import load_bf16
from harness.modeling.runtimes.torch_eager import TorchModel
from harness.modeling.runtimes.torchao import require_capability
from harness.modeling.weights.settings import Settings

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

layers = lazy("harness.modeling.weights.layers")
sparse_linear = lazy("harness.modeling.runtimes.sparse_linear")


ROWS, COLUMNS = 16, 16
"""Outputs and inputs of a layer are multiples of these."""
KERNELS = (8, 0)
"""The first compute capability of CUDA with sparse tensor cores (Ampere)."""


def require() -> None:
    """Raises HarnessError, with the remedy, where no GPU is found that has such cores."""
    import torch

    if not torch.cuda.is_available():
        raise HarnessError(
            "semi-structured is served on a CUDA GPU, and there is none here; on a CPU a mask saves nothing"
        )

    require_capability(KERNELS, "semi-structured", "bf16 serves the model with its zeros")
    if not torch.backends.cusparselt.is_available():
        raise HarnessError(
            f"torch {torch.__version__} is built without cuSPARSELt; bf16 serves the model with its zeros"
        )


def is_two_of_four(rows: torch.Tensor) -> bool:
    """Whether of each four weights in a row (outputs, inputs) at least two are zero."""
    return rows.shape[1] % 4 == 0 and bool(((rows != 0).reshape(rows.shape[0], -1, 4).sum(-1) <= 2).all())


def masked(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    """The weights (outputs, inputs) of the linear layers that the kernels take, by the layer's name."""

    masks = {}
    for name, layer in layers.linear_layers(model).items():
        rows = layer.weight if layers.output_axis(layer) == 0 else layer.weight.T
        if rows.shape[0] % ROWS == 0 and rows.shape[1] % COLUMNS == 0 and is_two_of_four(rows):
            masks[name] = rows
    return masks


class TorchSemiStructured(Runtime):
    devices = ("cuda",)

    def open(self, folder: Path, settings: Settings, threads: int) -> TorchModel:
        require()
        import torch

        model, tokenizer = load_bf16(folder, settings, threads)
        layers.as_linear(model)
        model.to(torch.device("cuda"))  # type: ignore[arg-type]
        for name in masked(model):
            owner, _, leaf = name.rpartition(".")
            dense = model.get_submodule(name)
            assert isinstance(dense, torch.nn.Linear)
            setattr(model.get_submodule(owner), leaf, sparse_linear.SparseLinear(dense.weight, dense.bias))
        return TorchModel("torch-semi-structured", folder, settings, tokenizer, model)


RUNTIME = TorchSemiStructured()
