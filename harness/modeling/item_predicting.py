"""What a finished model says of images and sounds: a classifier its classes, two towers which of some texts is most
like an item, without training.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.items import item_of_file
from harness.core.lazy import lazy
from harness.core.specs import TaskSpec
from harness.core.text import shown
from harness.data.frame import Split
from harness.modeling.heads import HEADS
from harness.modeling.heads.base import EncodingContext
from harness.modeling.runtimes import RuntimeModel, open_model
from harness.modeling.size import weights_of
from harness.modeling.weights.loading import partial_facts, partial_weights
from harness.modeling.weights.settings import TOWERS, class_names, item_head, model_config

if TYPE_CHECKING:
    import numpy as np

processors = lazy("harness.modeling.processors")

ZERO_SHOT = "zero-shot-"
"""Stands before the kind of a prediction by two towers, as in the pipelines of `transformers`."""
TEXT_ALONE = "{label}"


@dataclass(frozen=True)
class ItemQuestion:
    """What is asked of items: nothing of a classifier; of two towers which of the `labels`, put into each of the
    `templates` (those of the papers where left out), or which of the `captions`, as they are.
    """

    labels: Sequence[str] = ()
    templates: Sequence[str] = ()
    captions: Sequence[str] = ()

    @property
    def choices(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.labels or self.captions))

    def check(self, folder: Path, head: str) -> None:
        """Raises HarnessError where the question is none for a model with this head."""
        asked = self.labels or self.templates or self.captions
        if head != TOWERS and asked:
            raise HarnessError(f"model {folder}: a classifier has classes of its own; leave out --labels and --text")
        if head != TOWERS:
            return
        if self.labels and self.captions:
            raise HarnessError("--labels are put into templates, --text is compared as it is; give one of the two")
        if self.templates and not self.labels:
            raise HarnessError("--template goes with --labels, which it has a place for")
        if not self.choices:
            raise HarnessError(
                f"model {folder}: two towers compare items with texts; give --labels a,b,c, or captions with --text"
            )
        if any(not choice.strip() for choice in self.choices):
            raise HarnessError("--labels: one of them is empty")
        if bad := [template for template in self.templates if TEXT_ALONE not in template]:
            raise HarnessError(f"--template {shown(bad[0])}: it has no {TEXT_ALONE}")


@dataclass(frozen=True)
class ItemModel:
    """A model of images or sounds in its runtime.

    Attributes:
        folder: Where it lies.
        modality: What it reads: `image` or `audio`.
        kind: What it does, as the pipelines of `transformers` call it: `image-classification`,
            `zero-shot-audio-classification`, …
        served: The model.
        about: What a prediction says of it.
    """

    folder: Path
    modality: str
    kind: str
    served: RuntimeModel
    about: dict[str, Any]

    def predictions(
        self,
        files: Sequence[str | Path],
        question: ItemQuestion | None = None,
        top_k: int = 5,
        with_logits: bool = False,
    ) -> list[dict[str, Any]]:
        """What the model says of files, in their order: `top` classes or texts with their probabilities.

        Raises:
            HarnessError: a file that cannot be read, a number out of range, or a question that is none for the model.
        """
        head, question = self.served.settings.head, question or ItemQuestion()
        question.check(self.folder, head)
        if not files:
            raise HarnessError(f"nothing to predict; name files of the modality {self.modality} after the model")
        if top_k < 1:
            raise HarnessError(f"--top-k {top_k}: must be at least 1")
        names = question.choices or _classes(self.folder)
        logits = self._logits(files, question, names)
        return [
            {
                "file": str(file),
                "kind": self.kind,
                "model": self.about,
                "top": _top(row, names, top_k),
                **({"logits": row.tolist()} if with_logits else {}),
            }
            for file, row in zip(files, logits, strict=True)
        ]

    def _logits(self, files: Sequence[str | Path], question: ItemQuestion, names: Sequence[str]) -> np.ndarray:
        """(files, names) float32."""
        templates = [TEXT_ALONE] if question.captions else list(question.templates)
        task = TaskSpec.model_validate(
            {
                "name": "asked", "family": f"{self.modality}-classification", "metrics": ["accuracy"],
                "fields": {self.modality: self.modality, "label": "label"}, "templates": templates,
            }
        )  # fmt: skip
        limit = self.served.settings.max_length
        reader = EncodingContext(task, tuple(names), self.served.tokenizer, limit, folder=self.folder)
        items = tuple(item_of_file(Path(file)) for file in files)
        split = Split(tuple(map(str, range(len(items)))), {self.modality: items})
        predicted = HEADS.get(self.served.settings.head).predict(self.served.module, reader, split)
        logits: np.ndarray = predicted.columns["logits"]
        return logits


def open_item_model(folder: Path, allow_partial: bool = False) -> ItemModel | None:
    """The model of a folder, compressed or not, where it reads images or sounds; None of any other.

    Raises:
        HarnessError: a damaged folder.
    """
    head = item_head(folder)
    if head is None:
        return None
    modality = processors.processor_in(folder).modality
    with partial_weights(allow_partial) as misfits:
        served = open_model(folder)
    about: dict[str, Any] = {
        "architecture": next(iter(model_config(folder).get("architectures") or []), head),
        "parameters": weights_of(folder, served.settings).get("parameters"),
        **({} if served.settings.is_plain else {"runtime": served.settings.runtime}),
        **partial_facts(misfits),
    }
    kind = f"{ZERO_SHOT if head == TOWERS else ''}{modality}-classification"
    return ItemModel(folder, modality, kind, served, about)


def predict_items(
    folder: Path,
    files: Sequence[str | Path],
    question: ItemQuestion,
    top_k: int = 5,
    with_logits: bool = False,
    allow_partial: bool = False,
) -> list[dict[str, Any]]:
    """What the model of a folder says of files. Raises HarnessError as `ItemModel.predictions` does, and for a model
    that reads texts.
    """
    model = open_item_model(folder, allow_partial)
    if model is None:
        raise HarnessError(f"model {folder}: it reads neither images nor sounds; give texts with --text")
    return model.predictions(files, question, top_k, with_logits)


def _classes(folder: Path) -> tuple[str, ...]:
    names = class_names(folder)
    return tuple(str(name) for _, name in sorted((int(index), name) for index, name in names.items()))


def _top(logits: np.ndarray, names: Sequence[str], count: int) -> list[dict[str, Any]]:
    """The likeliest names, by the softmax of logits (names,)."""
    import numpy as np

    odds = np.exp(logits.astype(np.float64) - logits.max())
    order = np.argsort(-logits, kind="stable")[:count]
    total = odds.sum()
    return [{"id": int(at), "label": names[at], "probability": float(odds[at] / total)} for at in order]
