"""Two towers, asked without training: which caption is an item's, which class's text is most like it (Radford et al.
2021).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.core.items import Item
from harness.core.lazy import lazy
from harness.core.predictions import Predictions, Reading
from harness.data.frame import Split
from harness.modeling.heads.base import EncodingContext, UntrainedHead, read_of
from harness.modeling.heads.item_inputs import AT_ONCE, items_in
from harness.modeling.inference import retrieval

if TYPE_CHECKING:
    from transformers import PreTrainedModel

towers = lazy("harness.modeling.inference.towers")
processors = lazy("harness.modeling.processors")

TEMPLATES = {"image": "a photo of a {label}.", "audio": "This is a sound of {label}.", "video": "a video of {label}."}
"""What an item is compared with where a task gives no templates, as the papers of CLIP and CLAP have it."""


class DualEncoder(UntrainedHead):
    name = "dual-encoder"
    auto_class = "AutoModel"
    reason = "two towers are scored by the similarity of their vectors, and not trained on a task"

    def predict(
        self,
        model: PreTrainedModel,
        reader: EncodingContext,
        split: Split,
        report: Callable[[float], None] = lambda fraction: None,
    ) -> Predictions:
        items, modality = items_in(reader.family, split)
        number = {item: index for index, item in enumerate(dict.fromkeys(items))}
        vectors = item_vectors(model, reader, list(number), modality, report)
        rows = np.asarray([number[item] for item in items], dtype=np.int64)
        if reader.family.predictions == "ranks":
            texts, read = text_vectors(model, reader, split.fields["text"])
            values, retrieved = retrieval.retrieve(vectors, texts, rows)
            return Predictions(np.asarray(values, dtype=object), retrieved.columns, SETTINGS, read)
        if reader.family.predictions == "log-odds":
            good, _ = text_vectors(model, reader, split.fields["good"])
            bad, read = text_vectors(model, reader, split.fields["bad"])
            odds = scale_of(model) * (vectors[rows] * (good - bad)).sum(1, dtype=np.float64)
            return Predictions(odds, settings=SETTINGS, read=read)
        classes, templates = class_vectors(model, reader, modality)
        logits = (scale_of(model) * vectors[rows] @ classes.T).astype(np.float32)
        return Predictions(logits.argmax(1), {"logits": logits}, {**SETTINGS, "templates": templates})


HEAD = DualEncoder()
SETTINGS = {"similarity": "cosine"}


def item_vectors(
    model: Any,
    reader: EncodingContext,
    items: Sequence[Item],
    modality: str,
    report: Callable[[float], None] = lambda fraction: None,
) -> np.ndarray:
    """Unit vectors (n, size) float32 of n items, read by the processor of the model's folder."""
    import torch

    assert reader.folder is not None
    processor = processors.processor_in(reader.folder)
    made = []
    model.eval()
    with torch.inference_mode():
        for kept in processors.in_batches(items, modality, processor, AT_ONCE[model.device.type], report):
            inputs = processor.inputs_for(model, torch.from_numpy(kept))
            made.append(towers.item_vectors(model, inputs).cpu().numpy())
    return np.concatenate(made)


def text_vectors(model: Any, reader: EncodingContext, texts: Sequence[str]) -> tuple[np.ndarray, Reading]:
    """Unit vectors (n, size) float32 of n texts, each different one read once; and how much of them was read."""
    import torch

    distinct = list(dict.fromkeys(texts))
    order = sorted(range(len(distinct)), key=lambda index: len(distinct[index]))
    size, kind, longest = AT_ONCE[model.device.type], model.config.model_type, towers.longest_text(model.config)
    vectors: list[Any] = [None] * len(distinct)
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), size):
            chunk = order[start : start + size]
            batch = towers.token_ids(reader.tokenizer, [distinct[index] for index in chunk], kind, longest)
            ids = {name: tensor.to(model.device) for name, tensor in batch.items()}
            made = towers.text_vectors(model, ids["input_ids"], ids.get("attention_mask")).cpu().numpy()
            for index, vector in zip(chunk, made, strict=True):
                vectors[index] = vector
    place = {text: index for index, text in enumerate(distinct)}
    rows = reader.tokenizer(distinct, verbose=False)["input_ids"]
    of_texts = [rows[place[text]] for text in texts]
    cut = sum(len(row) > longest for row in of_texts)
    read = read_of(reader, [row[:longest] for row in of_texts], len(texts), cut)
    return np.stack(vectors)[[place[text] for text in texts]], read


def class_vectors(model: Any, reader: EncodingContext, modality: str) -> tuple[np.ndarray, list[str]]:
    """Unit vectors (classes, size): of each class the mean over the task's templates; and these templates."""
    templates = list(reader.task.templates) or [TEMPLATES.get(modality, "{label}")]
    names = [reader.task.verbalizers.get(label, label) for label in reader.labels]
    written = [template.replace("{label}", name) for name in names for template in templates]
    vectors, _ = text_vectors(model, reader, written)
    means = vectors.reshape(len(names), len(templates), -1).mean(1)
    return means / np.linalg.norm(means, axis=1, keepdims=True), templates


def scale_of(model: Any) -> float:
    """By how much a model multiplies similarities: what its loss has learned."""
    scale = next((getattr(model, name) for name in ("logit_scale", "logit_scale_a") if hasattr(model, name)), None)
    return 1.0 if scale is None else float(scale.detach().exp())
