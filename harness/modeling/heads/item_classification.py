"""A classifier on top of an encoder of images or of sounds, by the classes of `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.core.families import Family, Labelling
from harness.core.item_families import AUDIO, IMAGE
from harness.core.items import Item
from harness.core.lazy import lazy
from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, Head
from harness.modeling.inference.batching import TokenizedDataset
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from harness.modeling.processors import Processor

processors = lazy("harness.modeling.processors")

AT_ONCE = {"cpu": 32, "cuda": 256}
"""Items that go through a model together."""


@dataclass(frozen=True)
class ItemCollator:
    """From rows of kept items to what a model is given, on a device."""

    processor: Processor
    device: torch.device

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        import torch

        kept = torch.from_numpy(np.stack([row["items"] for row in rows])).to(self.device)
        batch = self.processor.inputs(kept)
        if "labels" in rows[0]:
            batch["labels"] = torch.tensor([row["labels"] for row in rows], device=self.device)
        return batch


class ItemClassification(Head):
    """Of models that read one modality. `EncodingContext.folder` holds the processor beside the model."""

    def __init__(self, modality: str, auto_class: str) -> None:
        self.name = f"{modality}-classification"
        self.auto_class = auto_class

    def config(self, family: Family, labels: tuple[str, ...]) -> dict[str, Any]:
        return cast(Labelling, family).config(labels)

    def encode(self, reader: EncodingContext, split: Split) -> TokenizedDataset:
        columns: dict[str, Any] = {"items": self._kept(reader, split)}
        if split.labels is not None:
            columns["labels"] = list(split.labels)
        return TokenizedDataset(columns, [1] * len(split))

    def outputs(self, model: Any, batch: dict[str, torch.Tensor], reader: EncodingContext) -> Outputs:
        labels = batch.pop("labels", None)
        logits = model(**batch).logits.float()
        loss = logits.new_zeros(())
        if labels is not None:
            loss = cast(Labelling, reader.family).loss(logits, labels, reader.label_smoothing)
        return Outputs(loss, (logits,))

    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        import torch

        kept, processor = self._kept(reader, split), _processor(reader)
        size, made = AT_ONCE[model.device.type], []
        was_training = model.training
        model.eval()
        with torch.inference_mode():
            for start in range(0, len(kept), size):
                batch = processor.inputs_for(model, torch.from_numpy(kept[start : start + size]))
                made.append(model(**batch).logits.float().cpu().numpy())
                report(min(1.0, (start + size) / len(kept)))
        model.train(was_training)
        logits = np.concatenate(made)
        return Predictions(cast(Labelling, reader.family).decode(logits), {"logits": logits})

    def _kept(self, reader: EncodingContext, split: Split) -> np.ndarray:
        (field, modality), *_ = reader.family.modalities.items()
        items = [item for item in split.fields[field] if isinstance(item, Item)]
        assert len(items) == len(split), "a field of items holds something else"
        kept: np.ndarray = processors.prepared(items, modality, _processor(reader))
        return kept


IMAGES = ItemClassification(IMAGE, "AutoModelForImageClassification")
SOUNDS = ItemClassification(AUDIO, "AutoModelForAudioClassification")


def _processor(reader: EncodingContext) -> Processor:
    assert reader.folder is not None
    processor: Processor = processors.processor_in(reader.folder)
    return processor
