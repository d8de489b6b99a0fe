"""A model's weights shared out over processes: fully sharded data parallelism (Zhao et al. 2023). Imports torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import torch
from torch.distributed.tensor import DTensor, distribute_tensor


def shard(module: torch.nn.Module, device: torch.device) -> None:
    """Leave each process its part of every weight. A layer's weights are gathered while it works, the others' all the
    time.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for layer in layers(module):
        fully_shard(layer, mesh=mesh)
    fully_shard(module, mesh=mesh)


def layers(module: torch.nn.Module) -> list[torch.nn.Module]:
    """The outermost repeated layers, but for those that share a weight with something outside."""
    uses = _uses(module)
    return [
        layer
        for layer in _repeated(module)
        if (layer_uses := _uses(layer)) and all(uses[key] == layer_uses[key] for key in layer_uses)
    ]


def _repeated(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    for child in module.children():
        yield from child if isinstance(child, torch.nn.ModuleList) else _repeated(child)


def _uses(module: torch.nn.Module) -> Counter[int]:
    return Counter(id(weight) for _, weight in module.named_parameters(remove_duplicate=False))


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor in full, on the CPU. Of a sharded one all processes must ask."""
    tensor = tensor.detach()
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).contiguous().cpu()


def as_sharded(full: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`full` shared out as `like` is; itself where that is whole. All processes must take part."""
    if not isinstance(like, DTensor):
        return full
    return distribute_tensor(full.to(like.device), like.device_mesh, like.placements)
