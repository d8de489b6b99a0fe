"""A classifier on top of an encoder of images or of sounds, by the classes of `transformers`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from harness.core.families import Family, Labelling
from harness.core.item_families import AUDIO, IMAGE
from harness.core.lazy import lazy
from harness.core.predictions import Predictions
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, Head
from harness.modeling.heads.item_inputs import AT_ONCE, items_in
from harness.modeling.inference.batching import TokenizedDataset
from harness.modeling.inference.outputs import Outputs

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from harness.modeling.processors import Processor

processors = lazy("harness.modeling.processors")


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
        columns: dict[str, Any] = {"items": processors.prepared(*items_in(reader.family, split), _processor(reader))}
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

        processor, size, made = _processor(reader), AT_ONCE[model.device.type], []
        was_training = model.training
        model.eval()
        with torch.inference_mode():
            for kept in processors.in_batches(*items_in(reader.family, split), processor, size, report):
                batch = processor.inputs_for(model, torch.from_numpy(kept))
                made.append(model(**batch).logits.float().cpu().numpy())
        model.train(was_training)
        logits = np.concatenate(made)
        return Predictions(cast(Labelling, reader.family).decode(logits), {"logits": logits})


IMAGES = ItemClassification(IMAGE, "AutoModelForImageClassification")
SOUNDS = ItemClassification(AUDIO, "AutoModelForAudioClassification")


def _processor(reader: EncodingContext) -> Processor:
    assert reader.folder is not None
    processor: Processor = processors.processor_in(reader.folder)
    return processor
