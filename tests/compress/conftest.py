"""Tiny fine-tuned models of each kind, trained once for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pytest

from harness.compression.base import Examples, Request, Student
from harness.compression.chain import compress
from harness.compression.methods import parse_method
from harness.core.specs import RecipeSpec, TaskSpec
from harness.data.frame import Split, TaskData

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {"model_type": "bert", **SIZES, "max_position_embeddings": 128},
    "wide-bert": {
        "model_type": "bert", "hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "intermediate_size": 256, "max_position_embeddings": 128,
    },
    "deberta-v3": {
        "model_type": "deberta-v2", **SIZES, "max_position_embeddings": 128, "relative_attention": True,
        "position_buckets": 16, "share_att_key": True, "pos_att_type": ["p2c", "c2p"],
    },
    "gpt2": {"model_type": "gpt2", "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256},
    "t5": {
        "model_type": "t5", "d_model": 32, "d_kv": 8, "num_heads": 4, "num_layers": 2, "d_ff": 64,
        "feed_forward_proj": "gated-gelu",
    },
}  # fmt: skip
TOKENIZERS = {
    "bert": "wordpiece",
    "wide-bert": "wordpiece",
    "deberta-v3": "wordpiece",
    "gpt2": "bytebpe",
    "t5": "unigram",
}


@dataclass(frozen=True)
class Trained:
    """A fine-tuned model's folder, and what it was trained and is scored on."""

    folder: Path
    examples: Examples
    dev: Any

    def predict(self, folder: Path | None = None) -> Any:
        from harness.training.learners.base import PredictRequest
        from harness.training.learners.transformer import LEARNER, _opened

        _opened.cache_clear()
        request = PredictRequest(self.examples.task, self.examples.labels, self.dev, folder or self.folder)
        return LEARNER.predict(request)

    def accuracy(self, folder: Path | None = None) -> float:
        import numpy as np

        return float((self.predict(folder).values == np.asarray(self.dev.labels)).mean())


def recipe(kind: str, **training: Any) -> RecipeSpec:
    return RecipeSpec.model_validate(
        {
            "name": f"small-{kind}",
            "learner": "transformer",
            "config": CONFIGS[kind],
            "tokenizer": {"kind": TOKENIZERS[kind], "vocab_size": 400},
            "training": {"epochs": 6, "learning_rate": 3e-3, "batch_size": 16, "max_length": 128, **training},
        }
    )


def reviews_task() -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "name": "reviews",
            "family": "classification",
            "fields": {"text": "text", "label": "label"},
            "labels": ["bad", "good"],
            "metrics": ["accuracy"],
            "prompt": "{text} It was",
        }
    )


def reviews_data() -> TaskData:
    """One word decides, and other words are about it: learned in seconds, not perfectly."""
    random = Random(0)
    words = (["awful", "boring", "poor", "dull"], ["great", "lovely", "fine", "superb"])
    things = ["film", "book", "meal", "song", "play", "hotel", "game", "show"]

    def split(count: int) -> Split:
        labels = [random.randrange(2) for _ in range(count)]
        texts = [
            f"{random.choice(['we saw', 'they had', 'it was', 'here is'])} a {random.choice(words[label])} "
            f"{random.choice(things)} {random.choice(['today', 'there', 'again', 'at last', 'in the end'])}"
            for label in labels
        ]
        return Split(tuple(map(str, range(count))), {"text": tuple(texts)}, tuple(labels))

    return TaskData("reviews", "folder", "made up", {"train": split(240), "dev": split(200)}, ("bad", "good"))


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Trained]:
    @cache
    def train(kind: str, task_name: str = "reviews", limit: int = 240) -> Trained:
        from harness import data
        from harness.core.registry import load_registry
        from harness.training.learners.base import FitRequest
        from harness.training.learners.transformer import LEARNER

        if task_name == "reviews":
            task, loaded = reviews_task(), reviews_data()
        else:
            task = load_registry().task(task_name)
            loaded = data.load(task, "embedded", limit)
        folder = tmp_path_factory.mktemp(f"{kind}-{task_name}")
        chosen = recipe(kind) if kind.endswith("bert") else recipe(kind, epochs=1)
        LEARNER.fit(
            FitRequest(
                task, loaded.labels, loaded.splits["train"], chosen, 0, folder, tmp_path_factory.mktemp("scratch")
            )
        )
        examples = Examples(task, loaded.labels, loaded.splits["train"])
        return Trained(folder, examples, loaded.splits[task.eval[0]])

    return train


@pytest.fixture
def compressed(tmp_path: Path) -> Callable[..., tuple[Path, dict[str, Any]]]:
    """A model compressed by a method: the new folder, and what the chain says of it."""

    def make(model: Trained, method: str, student: RecipeSpec | None = None) -> tuple[Path, dict[str, Any]]:
        folder = tmp_path / f"out-{len(list(tmp_path.iterdir()))}"
        scratch = tmp_path / f"scratch-{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        scratch.mkdir()
        request = Request(
            model.folder, model.folder, folder, scratch, 0, model.examples, Student(student) if student else None
        )
        return folder, compress(parse_method(method), request)

    return make
