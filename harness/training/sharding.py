"""A model's weights shared out over processes: fully sharded data parallelism (Zhao et al. 2023). Imports torch."""

from __future__ import annotations

import ctypes
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import save_file
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from harness.training.deferred import DeferredWeights


M_MMAP_THRESHOLD, LARGE_BLOCK = -3, 2**18
"""mallopt's number of the setting, and bytes from which on a block is one of the system's."""
SAVED_AT_ONCE = "2GB"
"""The largest file of weights, which is as much as the first process gathers of them when they are saved."""


def shard(
    module: torch.nn.Module,
    device: torch.device,
    deferred: DeferredWeights | None = None,
    methods: Sequence[str] = (),
) -> None:
    """Leave each process its part of every weight. A layer's weights are gathered while it works, the others' all the
    time.

    Weights that are `deferred` are made layer by layer, so that no process ever holds all of them, and of those that
    lie in files it reads its part alone. `methods` of the module may be called as its `forward` is.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    if device.type == "cpu":
        _return_large_blocks()
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for part in (*layers(module), module):
        stored = {}
        if deferred is not None:
            deferred.fill(part, but_files=True)
            stored = deferred.in_files(part)
        fully_shard(part, mesh=mesh)
        if deferred is not None:
            _read_own(part, stored, deferred)
    for method in methods:
        register_fsdp_forward_method(module, method)


def _read_own(part: torch.nn.Module, stored: Mapping[str, torch.Tensor], deferred: DeferredWeights) -> None:
    """Put this process's rows of weights that lie in files into a module that was sharded without them."""
    done: dict[int, torch.nn.Parameter] = {}
    for name, weight in stored.items():
        owner, _, leaf = name.rpartition(".")
        module = part.get_submodule(owner)
        place = getattr(module, leaf)
        if id(weight) not in done:
            rank, count = torch.distributed.get_rank(), torch.distributed.get_world_size()
            most = -(-len(weight) // count)
            start, stop = (min(number * most, len(weight)) for number in (rank, rank + 1))
            local = deferred.rows(weight, start, stop).to(place.device_mesh.device_type)
            sharded = DTensor.from_local(
                local, place.device_mesh, place.placements, run_check=False, shape=weight.shape, stride=weight.stride()
            )
            done[id(weight)] = torch.nn.Parameter(sharded, weight.requires_grad)
        setattr(module, leaf, done[id(weight)])


@contextmanager
def gathered_again(root: torch.nn.Module, before: torch.nn.Module) -> Iterator[None]:
    """Within it the weights that a sharded `root` holds beside its layers are gathered whenever `before` is called: a
    gradient that is taken inside of a pass lets them go.
    """
    if not isinstance(root, FSDPModule):
        yield
        return
    hook = before.register_forward_pre_hook(lambda *_: root.unshard())
    try:
        yield
    finally:
        hook.remove()


def _return_large_blocks() -> None:
    """Have glibc give back to the system what a layer's gathered weights took. By itself it keeps blocks of up to
    32 MB, in pieces that fit nothing else: as much again as four processes' parts of a model.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK)


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


def is_sharded(module: torch.nn.Module) -> bool:
    return any(isinstance(weight, DTensor) for weight in module.parameters())


def save_pretrained(model: PreTrainedModel, folder: Path, first: bool) -> None:
    """Write a model as its own `save_pretrained` does, gathering no more of a sharded one at once than a file holds.
    All processes of a sharded model must call; the `first` one writes.
    """
    weights = tensors_of(model)
    if not any(isinstance(weight, DTensor) for weight in weights.values()):
        if first:
            model.save_pretrained(folder)
        return
    from huggingface_hub import split_torch_state_dict_into_shards

    shapes = {name: torch.empty(weight.shape, dtype=weight.dtype, device="meta") for name, weight in weights.items()}
    split = split_torch_state_dict_into_shards(
        shapes, filename_pattern="model{suffix}.safetensors", max_shard_size=SAVED_AT_ONCE
    )
    for file, names in split.filename_to_tensors.items():
        gathered: dict[str, torch.Tensor] = {}
        for name in names:
            full = whole(weights[name])
            if first:
                gathered[name] = full
        if first:
            save_file(gathered, folder / file, metadata={"format": "pt"})
    if first:
        _save_configs(model, folder)
        if split.is_sharded:
            index: dict[str, Any] = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
            (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2, sort_keys=True))


def _save_configs(model: PreTrainedModel, folder: Path) -> None:
    model.config.architectures = [type(model).__name__]
    model.config.dtype = str(model.dtype).removeprefix("torch.")
    model.config.save_pretrained(folder)
    if model.can_generate() and model.generation_config is not None:
        model.generation_config.save_pretrained(folder)


def tensors_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights and buffers by name, tied weights once, under their first name: safetensors holds no aliases."""
    kept = model.state_dict().keys()
    return {name: tensor for name, tensor in chain(model.named_parameters(), model.named_buffers()) if name in kept}
