"""Models of images and sounds as ONNX graphs: two towers as one each, classifiers as one. What makes an item a tensor,
such as the spectrogram of a sound, stays outside. Imports torch: import it inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from harness.compression.export import ROOT, as_exported, check_close, traced
from harness.data.modalities import Decoded
from harness.modeling.inference.towers import longest_text, token_ids
from harness.modeling.processors import Processor, processor_in
from harness.modeling.runtimes.graph_file import FILE
from harness.modeling.runtimes.graph_towers import TEXT, output_of, tower_file
from harness.modeling.runtimes.onnx_runtime import open_graph

FEATURES = {TEXT: "get_text_features", "image": "get_image_features", "audio": "get_audio_features"}
LONGER = "is_longer"
"""An input of CLAP with fusion, false of all that a processor here makes."""
CHECKED = (1, 3)
"""Numbers of items or texts on which graph and model are compared; the graph is traced on two."""
TEXTS = ("a photo of a cat", "rain", "two dogs run over a field of grass", "music")


class _Tower(nn.Module):
    """A model as a function of positional inputs to one tensor."""

    def __init__(self, model: PreTrainedModel, inputs: Sequence[str], longer: bool = False) -> None:
        super().__init__()
        setattr(self, ROOT, model)
        self._inputs, self._longer = list(inputs), longer

    def forward(self, *tensors: torch.Tensor) -> torch.Tensor:
        given = dict(zip(self._inputs, tensors, strict=True))
        if self._longer:
            given[LONGER] = torch.zeros(len(tensors[0]), 1, dtype=torch.bool)
        output = getattr(self, ROOT)(**given)
        if isinstance(output, torch.Tensor):
            return output
        vectors: torch.Tensor = output.logits if "logits" in output else output.pooler_output
        return vectors


def export_towers(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, source: Path, folder: Path) -> list[Path]:
    """Write both towers into `folder` as graphs with free numbers of items, of texts and of tokens; returns the files.

    Raises:
        HarnessError: torch cannot export one, or a graph gives other vectors than the model.
    """
    processor, kind = processor_in(source), model.config.model_type
    as_exported(model)
    longest = longest_text(model.config)

    def texts(count: int) -> dict[str, torch.Tensor]:
        return token_ids(tokenizer, TEXTS[:count], kind, longest)

    usual = model.forward
    try:
        for tower, batch in ((TEXT, texts), (processor.modality, lambda count: _items(processor, count))):
            model.forward = getattr(model, FEATURES[tower])  # called as a module: nodes bear the names of its modules
            _export(model, folder / tower_file(tower), output_of(tower), batch, tower == TEXT)
    finally:
        model.forward = usual
    return [folder / tower_file(TEXT), folder / tower_file(processor.modality)]


def export_items(model: PreTrainedModel, source: Path, folder: Path) -> list[Path]:
    """Write a classifier of items as a graph with a free number of them; raises HarnessError as `export_towers`."""
    processor = processor_in(source)
    as_exported(model)
    _export(model, folder / FILE, "logits", lambda count: _items(processor, count), False)
    return [folder / FILE]


def _export(
    model: PreTrainedModel, file: Path, output: str, batch: Callable[[int], dict[str, torch.Tensor]], is_text: bool
) -> None:
    given = batch(2)
    longer = given.pop(LONGER, None) is not None
    names = list(given)
    wrapped = _Tower(model, names, longer).eval()
    free = {0: "batch", 1: "length"} if is_text else {0: "batch"}
    axes = {**dict.fromkeys(names, free), output: {0: "batch"}}
    traced(wrapped, tuple(given.values()), file, names, [output], axes)
    graph = open_graph(file, threads=1)
    for count in CHECKED:
        checked = {name: tensor for name, tensor in batch(count).items() if name != LONGER}
        with torch.inference_mode():
            wanted = wrapped(*checked.values())
        check_close(wanted.numpy(), graph(**checked)[output].numpy())


def _items(processor: Processor, count: int) -> dict[str, torch.Tensor]:
    """What a processor makes of noise."""
    random = np.random.default_rng(count)
    made: list[np.ndarray] = []
    for _ in range(count):
        if processor.modality == "image":
            decoded = Decoded(random.integers(0, 256, (48, 56, 3), dtype=np.uint8))
        else:
            decoded = Decoded(random.uniform(-0.5, 0.5, 16000).astype(np.float32), 16000.0)
        made.append(processor.prepared(decoded))
    return processor.inputs(torch.from_numpy(np.stack(made)))


def scale_of(model: Any) -> float:
    """The logarithm of what similarities are multiplied by; 0 of a model without."""
    names = ("logit_scale", "logit_scale_a")
    scale = next((getattr(model, name) for name in names if hasattr(model, name)), None)
    return 0.0 if scale is None else float(scale.detach())
