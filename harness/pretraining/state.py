"""A pretraining between two steps, on disk: all that the next step depends on, as safetensors and JSON.

FOLDER/STEP/…       one checkpoint, written whole under another name and renamed; the latest one counts
  weights.safetensors, optimizer.safetensors, random-RANK.safetensors, losses.safetensors, state.json
"""

from __future__ import annotations

import json
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from harness.errors import DamagedFile


@dataclass
class Progress:
    """Steps done, of how many; the seconds they took; the loss of each."""

    step: int = 0
    steps: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)


def latest(folder: Path) -> Path | None:
    """The newest checkpoint in `folder`."""
    found = [path for path in folder.glob("[0-9]*") if (path / "state.json").exists()]
    return max(found, key=lambda path: int(path.name), default=None)


def save(folder: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer, progress: Progress) -> None:
    """Write a checkpoint and remove older ones."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{progress.step:09}"
    building = folder / f".{place.name}.{uuid.uuid4().hex[:8]}"
    building.mkdir()
    try:
        save_file(_unshared(model.state_dict()), building / "weights.safetensors")
        save_file(_optimizer_tensors(optimizer), building / "optimizer.safetensors")
        save_file(_random_tensors(), building / "random.safetensors")
        save_file({"losses": torch.tensor(progress.losses, dtype=torch.float64)}, building / "losses.safetensors")
        meta = {key: value for key, value in asdict(progress).items() if key != "losses"}
        (building / "state.json").write_text(json.dumps(meta))
        shutil.rmtree(place, ignore_errors=True)
        building.rename(place)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    for old in folder.glob("[0-9]*"):
        if old != place:
            shutil.rmtree(old, ignore_errors=True)


def load(place: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> Progress:
    """Put a checkpoint back. Raises DamagedFile where it is not what was written."""
    try:
        meta = json.loads((place / "state.json").read_text())
        weights = load_file(place / "weights.safetensors")
        moments = load_file(place / "optimizer.safetensors")
        random = load_file(place / "random.safetensors")
        losses = load_file(place / "losses.safetensors")["losses"].tolist()
        model.load_state_dict(weights, strict=False)
        missing = {name for name in model.state_dict() if name not in weights} - _shared_names(model)
        if missing:
            raise KeyError(f"no {sorted(missing)[0]}")
        _restore_optimizer(optimizer, moments)
        _restore_random(random)
        return Progress(losses=losses, **meta)
    except Exception as error:  # safetensors, json and torch each have errors of their own
        raise DamagedFile(f"{place} is damaged ({' '.join(str(error).split())[:200]})") from None


def _unshared(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tied weights once, under their first name: safetensors holds no aliases."""
    seen: dict[int, str] = {}
    for name, tensor in tensors.items():
        seen.setdefault(tensor.data_ptr(), name)
    return {name: tensors[name].detach().contiguous().cpu() for name in seen.values()}


def _shared_names(model: torch.nn.Module) -> set[str]:
    tensors = model.state_dict()
    return set(tensors) - set(_unshared(tensors))


def _optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{index}.{name}": value.detach().contiguous().cpu()
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
