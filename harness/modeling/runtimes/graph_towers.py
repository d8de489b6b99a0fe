"""Two towers as graphs, one a tower: `text.onnx`, and `image.onnx` or `audio.onnx`. What makes an item a tensor stays
outside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.modeling.runtimes.base import RuntimeModel
from harness.modeling.runtimes.graph_file import Graph, Opener
from harness.modeling.weights.loading import config_of, load_tokenizer
from harness.modeling.weights.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import torch

TEXT = "text"
TOWER_NAMES = (TEXT, "image", "audio")
SCALE = "logit_scale"
"""The name in `Settings.fitted` of what similarities are multiplied by."""


def tower_file(tower: str) -> str:
    """The file of one of `TOWER_NAMES`."""
    return f"{tower}.onnx"


def output_of(tower: str) -> str:
    """What the graph of a tower gives: vectors, not yet of length 1."""
    return f"{tower}_embeds"


@dataclass
class TowerGraphs(RuntimeModel):
    """`graphs` by tower; `module` is called as two towers of `transformers` are."""

    graphs: dict[str, Graph] | None = None

    def forward(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Vectors of texts or of items, by whichever of them the inputs are."""
        assert self.graphs is not None, "closed"
        tower = TEXT if "input_ids" in inputs else next(name for name in self.graphs if name != TEXT)
        graph = self.graphs[tower]
        return graph.run({name: array for name, array in inputs.items() if name in graph.inputs})

    def close(self) -> None:
        super().close()
        self.graphs = None


class Towers:
    """Graphs as the methods of two towers, with tensors by name, on the CPU, always predicting."""

    training = False

    def __init__(self, model: TowerGraphs, config: Any, scale: float) -> None:
        import torch

        self.device, self.config, self._model = torch.device("cpu"), config, model
        self.logit_scale = torch.tensor(scale)

    def get_text_features(self, **inputs: torch.Tensor) -> torch.Tensor:
        return self._vectors(TEXT, inputs)

    def get_image_features(self, **inputs: torch.Tensor) -> torch.Tensor:
        return self._vectors("image", inputs)

    def get_audio_features(self, **inputs: torch.Tensor) -> torch.Tensor:
        return self._vectors("audio", inputs)

    def _vectors(self, tower: str, inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        assert self._model.graphs is not None, "closed"
        return self._model.graphs[tower](**inputs)[output_of(tower)]

    def named_modules(self) -> Sequence[tuple[str, Any]]:
        return ()

    def eval(self) -> Towers:
        return self

    def train(self, mode: bool = True) -> Towers:
        if mode:
            raise HarnessError(f"a model in {self._model.name} cannot be trained")
        return self


def open_towers(runtime: str, folder: Path, settings: Settings, threads: int, opener: Opener) -> TowerGraphs:
    """The towers of a folder in a runtime. Raises HarnessError where one is missing or damaged."""
    there = [name for name in TOWER_NAMES if (folder / tower_file(name)).is_file()]
    if TEXT not in there or len(there) < 2:
        raise HarnessError(f"model {folder}: two towers are {tower_file(TEXT)} and image.onnx or audio.onnx; one lacks")
    graphs = {name: opener(folder / tower_file(name), threads) for name in there}
    model = TowerGraphs(runtime, folder, settings, load_tokenizer(folder), None, graphs)
    model.module = Towers(model, config_of(folder), float(settings.fitted.get(SCALE, 0.0)))
    return model
