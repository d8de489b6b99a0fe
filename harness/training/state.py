"""A training between two steps, on disk: all that the next step depends on, as safetensors and JSON.

FOLDER/STEP/…       one checkpoint, written whole under another name and renamed; the latest sound one counts
  weights.safetensors, optimizer.safetensors, random.safetensors, losses.safetensors, state.json, checksums.json

The state of a sharded model is written by all processes, each its part, as torch's distributed checkpoints are, in
files of safetensors (`sharded/`). Any number of processes can go on from either.
"""

from __future__ import annotations

import json
import re
import shutil
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.distributed import checkpoint
from torch.distributed.checkpoint import HuggingFaceStorageReader, HuggingFaceStorageWriter
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from harness.core.atomic import new_folder
from harness.core.checksums import check_sums, write_sums
from harness.core.errors import DamagedFileError
from harness.training.sharding import is_sharded, tensors_of
from harness.training.step_plan import Plan

PARTS = "sharded"
OF_STEPS = ("losses", "counts")
"""What is known of each step."""
MOMENT = re.compile(r"([0-9]+)\.([a-z_]+)")
"""The name of a tensor of the optimizer: the number of its weight, and what it is."""


@dataclass
class Progress:
    """The plan and what is done of it: steps, the seconds they took, the loss of each, and where steps take different
    numbers of examples, how many each took.
    """

    plan: Plan
    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)
    counts: list[float] = field(default_factory=list)


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
    """Write a checkpoint and remove older ones. All processes of a sharded model must call: each writes its part of the
    weights, the `first` all else.
    """
    place = folder / f"{progress.step:09}"
    if first:
        shutil.rmtree(place, ignore_errors=True)
    with new_folder(place) if first else nullcontext() as building:
        if is_sharded(model):
            _save_parts(tensors_of(model) | _moments(optimizer), building)
        if building is None:
            return
        if not is_sharded(model):
            save_file(_on_cpu(tensors_of(model)), building / "weights.safetensors")
            save_file(_on_cpu(_moments(optimizer)), building / "optimizer.safetensors")
        save_file(_random_tensors(), building / "random.safetensors")
        of_steps = {name: getattr(progress, name) for name in OF_STEPS}
        curves = {name: torch.tensor(values, dtype=torch.float64) for name, values in of_steps.items()}
        save_file(curves, building / "losses.safetensors")
        meta = {key: value for key, value in asdict(progress).items() if key not in OF_STEPS}
        (building / "state.json").write_text(json.dumps(meta))
        write_sums(building)
    for old in folder.iterdir():
        if old != place:
            shutil.rmtree(old, ignore_errors=True)


def _on_cpu(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}


def _save_parts(tensors: dict[str, torch.Tensor], building: Path | None) -> None:
    """Each process writes its part of every tensor into the folder that the first one names: weights, then each moment
    of the optimizer, since what is written at once is in memory three times.
    """
    named: list[Path | None] = [None if building is None else building / PARTS]
    torch.distributed.broadcast_object_list(named, src=0)
    assert named[0] is not None
    groups: dict[str, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        moment = MOMENT.fullmatch(name)
        groups.setdefault(moment[2] if moment else "weights", {})[name] = tensor
    for group, of_group in groups.items():
        checkpoint.save(of_group, storage_writer=HuggingFaceStorageWriter(str(named[0] / group), save_distributed=True))


def load(place: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put a checkpoint back. Raises DamagedFileError where it is not what was written."""
    try:
        meta = json.loads((place / "state.json").read_text())
        curves = load_file(place / "losses.safetensors")
        of_steps: dict[str, Any] = {name: curves[name].tolist() for name in OF_STEPS if name in curves}
        if is_sharded(model) or (place / PARTS).is_dir():
            _load_parts(place, model, optimizer)
        else:
            fill(model, load_file(place / "weights.safetensors"))
            _restore_optimizer(optimizer, load_file(place / "optimizer.safetensors"))
        _restore_random(load_file(place / "random.safetensors"))
        return Progress(**of_steps, plan=Plan(**meta.pop("plan")), **meta)
    except Exception as error:  # safetensors, json and torch each have errors of their own
        raise DamagedFileError(f"{place} is damaged ({' '.join(str(error).split())[:200]})") from None


def _load_parts(place: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Each process reads of a checkpoint, whole or in parts, what it has of every tensor, and no more."""
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    missing, moments = tensors_of(model), dict[str, torch.Tensor]()
    for folder in sorted((place / PARTS).iterdir()) if (place / PARTS).is_dir() else [place]:
        reader = HuggingFaceStorageReader(str(folder))
        tensors: dict[str, torch.Tensor] = {}
        for key, facts in reader.read_metadata().state_dict_metadata.items():
            if key in missing:
                tensors[key] = missing.pop(key)
            elif (named := MOMENT.fullmatch(key)) is not None and isinstance(facts, TensorStorageMetadata):
                like = weights[int(named[1])]
                same = facts.size == like.shape
                moments[key] = torch.zeros_like(like) if same else torch.zeros(facts.size, dtype=facts.properties.dtype)
                tensors[key] = moments[key]
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "torch.distributed is disabled")
            alone = not torch.distributed.is_initialized()
            checkpoint.load(dict[str, Any](tensors), storage_reader=reader, no_dist=alone)
    if missing:
        raise ValueError(f"no {next(iter(missing))}")
    _restore_optimizer(optimizer, moments)


@torch.no_grad()
def fill(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Put weights into a model. Raises ValueError where one is missing, left over or has another
    shape.
    """
    tensors = tensors_of(model)
    if left_over := sorted(weights.keys() - tensors.keys()):
        raise ValueError(f"the model has no {left_over[0]}")
    for name, tensor in tensors.items():
        if name not in weights or weights[name].shape != tensor.shape:
            raise ValueError(f"no {name} of shape {tuple(tensor.shape)}")
        tensor.copy_(weights[name])


def _moments(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{index}.{name}": value
        for index, values in optimizer.state_dict()["state"].items()
        for name, value in values.items()
    }


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = tensor
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
