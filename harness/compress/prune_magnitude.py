"""The smallest weights set to zero (Han et al. 2015), in one shot."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from harness.compress.base import Compressor, LayerOptions, Request

NOTHING_SAVED = (
    "It saves neither time nor memory, nor bytes on disk before packing: dense kernels and files spell out zeros."
)


class PruneMagnitude(Compressor):
    """`sparsity` is the share of zeros among the weights of the linear layers but the head, over all of them
    (`global`) or in each (`layer`).
    """

    main = "sparsity"

    class Options(LayerOptions):
        sparsity: float = Field(default=0.5, gt=0, lt=1)
        scope: Literal["global", "layer"] = "global"

    def compress(self, request: Request) -> dict[str, Any]:
        import torch

        from harness.compress.groups import chosen
        from harness.compress.layers import linear_layers
        from harness.compress.saving import save
        from harness.runtimes.torch_eager import load

        model, tokenizer = load(request.source)
        weights = {name: layer.weight for name, layer in chosen(model, self.options).linear.items()}
        groups = [list(weights.values())] if self.options.scope == "global" else [[one] for one in weights.values()]
        with torch.no_grad():
            for group in groups:
                _zero_smallest(group, self.options.sparsity)
        save(model, tokenizer, request.source, request.target)
        return sparsity_of({name: layer.weight for name, layer in linear_layers(model).items()})


def _zero_smallest(weights: list[Any], share: float) -> None:
    """Set exactly that share of the entries to zero, those smallest in magnitude; ties by position."""
    import torch

    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    keep = torch.ones_like(sizes, dtype=torch.bool)
    keep[sizes.argsort(stable=True)[: round(share * len(sizes))]] = False
    for weight, mask in zip(weights, keep.split([weight.numel() for weight in weights]), strict=True):
        weight.mul_(mask.view_as(weight))


def sparsity_of(weights: dict[str, Any]) -> dict[str, Any]:
    """The share of zeros in weights (by layer name), in all and a layer, with what it does not save."""
    zeros = {name: int((weight == 0).sum()) for name, weight in weights.items()}
    total = sum(weight.numel() for weight in weights.values())
    return {
        "coverage": {"linear": len(weights), "pruned": sum(zeros[name] > 0 for name in weights)},
        "sparsity": sum(zeros.values()) / total,
        "layers": {name: zeros[name] / weight.numel() for name, weight in weights.items()},
        "notes": [NOTHING_SAVED],
    }


COMPRESSOR = PruneMagnitude
