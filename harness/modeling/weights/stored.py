"""The weights of a folder as they lie in its files of safetensors, read no sooner and no further than they are asked
for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.reading import read_json

if TYPE_CHECKING:
    import torch

ONE_FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file."""

    file: Path
    name: str
    shape: tuple[int, ...]

    def whole(self) -> torch.Tensor:
        """All of it, as it is stored."""
        from safetensors import safe_open

        with safe_open(self.file, "pt") as file:
            tensor: torch.Tensor = file.get_tensor(self.name)
        return tensor

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Those from `start` to before `stop`, as they are stored."""
        from safetensors import safe_open

        with safe_open(self.file, "pt") as file:
            tensor: torch.Tensor = file.get_slice(self.name)[start:stop]
        return tensor


def stored_in(folder: Path) -> dict[str, StoredTensor]:
    """The weights of a `save_pretrained` folder by their names in its files, one file or several with an index.

    Raises:
        HarnessError: no such files, or one that cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    stored = {}
    for path in _files(folder):
        try:
            with safe_open(path, "pt") as file:
                for name in file.keys():  # noqa: SIM118  # an open file, no mapping
                    stored[name] = StoredTensor(path, name, tuple(file.get_slice(name).get_shape()))
        except (OSError, SafetensorError) as error:
            raise HarnessError(f"model {folder}: cannot read {path.name}: {' '.join(str(error).split())}") from None
    return stored


def _files(folder: Path) -> list[Path]:
    if (folder / ONE_FILE).is_file():
        return [folder / ONE_FILE]
    if not (folder / INDEX).is_file():
        raise HarnessError(f"model {folder}: neither {ONE_FILE} nor {INDEX} in it")
    index = read_json(folder / INDEX)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not all(isinstance(name, str) for name in places.values()):
        raise HarnessError(f"{folder / INDEX}: expected weight_map, the file of each weight")
    names = sorted(set(places.values()))
    if strange := [name for name in names if Path(name).name != name]:
        raise HarnessError(f"{folder / INDEX}: {strange[0]} is no file of the folder")
    return [folder / name for name in names]
