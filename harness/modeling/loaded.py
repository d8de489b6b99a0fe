"""A model folder that is loaded once and asked many times: `harness.load`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.checksums import refuse_damaged
from harness.core.errors import HarnessError
from harness.core.lazy import lazy
from harness.modeling.checkpoint import CLASSIFY, Checkpoint, Graph
from harness.modeling.checkpoint import load as load_checkpoint
from harness.modeling.inference.batching import DataCollator
from harness.modeling.item_predicting import ItemModel, ItemQuestion, open_item_model
from harness.modeling.predicting import predictions_of
from harness.modeling.weights.settings import read_settings

if TYPE_CHECKING:
    import numpy as np

scoring = lazy("harness.modeling.inference.scoring")


@dataclass(frozen=True)
class LoadedModel:
    """A model in the runtime its folder names. Made by `harness.load`.

    Attributes:
        folder: Where it lies.
        kind: What it does: `text-classification`, `text-generation`, `text2text-generation`, `question-answering`,
            `token-classification` or `fill-mask`; of images and sounds `image-classification`,
            `zero-shot-image-classification`, and so on.
        runtime: What serves it: `torch`, `onnxruntime`, …
        max_length: Tokens that `logits` reads of an example.
    """

    folder: Path
    kind: str
    runtime: str
    max_length: int
    _checkpoint: Checkpoint | ItemModel

    def predict(
        self,
        texts: Sequence[str | Path],
        top_k: int = 5,
        max_new_tokens: int = 20,
        contexts: Sequence[str] = (),
        labels: Sequence[str] = (),
        templates: Sequence[str] = (),
        captions: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """What the model says of each text, or of each file of an image or a sound, as `harness predict --json` has it.

        Args:
            texts: The texts, or the files' paths, one at least.
            top_k: How many choices are given.
            max_new_tokens: The most that a generative model writes.
            contexts: Where a question answerer finds its answers: one for all texts, or one for each.
            labels: Of two towers: the classes that files are told apart by.
            templates: The texts that these are put into, with `{label}`; those of the papers where left out.
            captions: In place of labels: texts that files are compared with as they are.

        Returns:
            A mapping a text: `top` classes or the `value` of a regression; what is `generated`; fills of `masks`;
            the `answer` to a question; the `entities` of a text.

        Raises:
            HarnessError: a text that is empty or too long, or a number out of range.
        """
        if isinstance(self._checkpoint, ItemModel):
            return self._checkpoint.predictions(texts, ItemQuestion(labels, templates, captions), top_k)
        if labels or templates or captions:
            raise HarnessError(f"model {self.folder}: labels, templates and captions are for models of items")
        return predictions_of(self._checkpoint, list(map(str, texts)), top_k, max_new_tokens, contexts=contexts)

    def logits(self, texts: Sequence[str], text_pairs: Sequence[str] | None = None) -> np.ndarray:
        """A classifier's or regressor's outputs.

        Args:
            texts: n texts.
            text_pairs: Their second texts, for a task of two.

        Returns:
            (n, outputs) float32, in the order of the model's classes.

        Raises:
            HarnessError: the model is no classifier, or the numbers of texts differ.
        """
        if self.kind != CLASSIFY or isinstance(self._checkpoint, ItemModel):
            raise HarnessError(f"model {self.folder}: logits are of a classifier, this does {self.kind}")
        if text_pairs is not None and len(text_pairs) != len(texts):
            raise HarnessError(f"{len(texts)} texts and {len(text_pairs)} second texts; give as many")
        model, tokenizer = self._checkpoint.model, self._checkpoint.tokenizer
        served = model.module if isinstance(model, Graph) else model
        pairs = None if text_pairs is None else list(text_pairs)
        columns = dict(tokenizer(list(texts), pairs, truncation=True, max_length=self.max_length, padding=False))
        logits: np.ndarray = scoring.logits(served, DataCollator.of(tokenizer, served.device), columns)
        return logits


def load(folder: Path) -> LoadedModel:
    """Load a model folder. Raises HarnessError as `checkpoint.load` does."""
    refuse_damaged(folder)
    items = open_item_model(folder)
    if items is not None:
        settings = items.served.settings
        return LoadedModel(folder, items.kind, settings.runtime, settings.max_length, items)
    checkpoint = load_checkpoint(folder)
    runtime = str(checkpoint.about.get("runtime", "torch"))
    length = read_settings(folder).max_length if checkpoint.kind == CLASSIFY else 0
    return LoadedModel(folder, checkpoint.kind, runtime, length, checkpoint)
