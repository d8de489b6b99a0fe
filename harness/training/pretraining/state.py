"""A pretraining between two steps, on disk: all that the next step depends on, as safetensors and JSON.

FOLDER/STEP/…       one checkpoint, written whole under another name and renamed; the latest sound one counts
  weights.safetensors, optimizer.safetensors, random.safetensors, losses.safetensors, state.json, checksums.json

A sharded model's state is gathered, so that a checkpoint is whole and any number of processes can go on from it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from harness.core.atomic import new_folder
from harness.core.checked import check_sums, write_sums
from harness.core.errors import DamagedFileError
from harness.training.pretraining.plan import Plan
from harness.training.pretraining.sharding import as_sharded, whole


@dataclass
class Progress:
    """The plan and what is done of it: steps, the seconds they took, the loss of each."""

    plan: Plan
    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


def latest(folder: Path, damaged: Callable[[DamagedFileError], None] = lambda error: None) -> Path | None:
    """The newest checkpoint in `folder` whose bytes are those that were written; `damaged` is told of newer ones."""
    for place in sorted(folder.glob("[0-9]*"), key=lambda path: path.name, reverse=True):
        try:
            check_sums(place)
        except DamagedFileError as error:
            damaged(error)
            continue
        return place
    return None


def save(
    folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Progress, first: bool = True
) -> None:
    """Write a checkpoint and remove older ones. All processes of a sharded model must call; the `first` one writes."""
    weights = gathered(own_tensors(model), keep=first)
    moments = gathered(_moments(optimizer), keep=first)
    if not first:
        return
    place = folder / f"{progress.step:09}"
    shutil.rmtree(place, ignore_errors=True)
    with new_folder(place) as building:
        save_file(weights, building / "weights.safetensors")
        save_file(moments, building / "optimizer.safetensors")
        save_file(_random_tensors(), building / "random.safetensors")
        save_file({"losses": torch.tensor(progress.losses, dtype=torch.float64)}, building / "losses.safetensors")
        meta = {key: value for key, value in asdict(progress).items() if key != "losses"}
        (building / "state.json").write_text(json.dumps(meta))
        write_sums(building)
    for old in folder.iterdir():
        if old != place:
            shutil.rmtree(old, ignore_errors=True)


def load(place: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put a checkpoint back. Raises DamagedFileError where it is not what was written."""
    try:
        meta = json.loads((place / "state.json").read_text())
        weights = load_file(place / "weights.safetensors")
        moments = load_file(place / "optimizer.safetensors")
        random = load_file(place / "random.safetensors")
        losses = load_file(place / "losses.safetensors")["losses"].tolist()
        fill(model, weights)
        _restore_optimizer(optimizer, moments)
        _restore_random(random)
        return Progress(losses=losses, plan=Plan(**meta.pop("plan")), **meta)
    except Exception as error:  # safetensors, json and torch each have errors of their own
        raise DamagedFileError(f"{place} is damaged ({' '.join(str(error).split())[:200]})") from None


def own_tensors(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Weights and buffers by name, tied weights once, under their first name: safetensors holds no aliases."""
    kept = model.state_dict().keys()
    return {name: tensor for name, tensor in chain(model.named_parameters(), model.named_buffers()) if name in kept}


def gathered(tensors: Mapping[str, torch.Tensor], keep: bool = True) -> dict[str, torch.Tensor]:
    """Each tensor in full, on the CPU; a process that does not `keep` them gets none, one at a time."""
    kept = {}
    for name, tensor in tensors.items():
        full = whole(tensor)
        if keep:
            kept[name] = full
    return kept


@torch.no_grad()
def fill(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Put whole weights into a model, sharded or not. Raises ValueError where one is missing, left over or has another
    shape.
    """
    tensors = own_tensors(model)
    if left_over := sorted(weights.keys() - tensors.keys()):
        raise ValueError(f"the model has no {left_over[0]}")
    for name, tensor in tensors.items():
        if name not in weights or weights[name].shape != tensor.shape:
            raise ValueError(f"no {name} of shape {tuple(tensor.shape)}")
        tensor.copy_(as_sharded(weights[name], tensor))


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    """`step`, a scalar, is whole in every process; what has the shape of a weight is shared out like it."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        like = weights[int(index)]
        state.setdefault(int(index), {})[name] = as_sharded(tensor, like) if tensor.shape == like.shape else tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _random_tensors() -> dict[str, torch.Tensor]:
    states = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        states["cuda"] = torch.cuda.get_rng_state()
    return states


def _restore_random(states: dict[str, torch.Tensor]) -> None:
    torch.set_rng_state(states["cpu"])
    if "cuda" in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states["cuda"])
