"""The zoo: tiny fine-tuned models, one a head and a few more, trained once a session for all its test processes; and
models with random weights where it does not matter what they answer.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from filelock import FileLock

from harness.compression.base import Examples
from harness.core.specs import ModelSpec, TaskSpec
from harness.data.frame import Split, TaskData
from tests.unit.modeling.heads import given

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
        from harness.training.learners import kept_models
        from harness.training.learners.base import PredictRequest
        from harness.training.learners.transformer import LEARNER

        kept_models.forget()
        request = PredictRequest(self.examples.task, self.examples.labels, self.dev, folder or self.folder)
        return LEARNER.predict(request)

    def accuracy(self, folder: Path | None = None) -> float:
        import numpy as np

        return float((self.predict(folder).values == np.asarray(self.dev.labels)).mean())


def recipe(kind: str, **training: Any) -> ModelSpec:
    return ModelSpec.model_validate(
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


HEADS: dict[str, tuple[str, str, int]] = {
    "sequence-classification": ("bert", "reviews", 240),
    "question-answering": ("bert", "squad", 60),
    "token-classification": ("bert", "entities", 240),
    "causal-lm": ("gpt2", "reviews", 240),
    "seq2seq-lm": ("t5", "reviews", 240),
}
"""The model of each head: its configuration, its task, and how many examples of the task are read."""

Trainer = Callable[..., Trained]


def trainer(root: Path) -> Trainer:
    """Fine-tunes into `root`, each model once, whichever process asks for it first.

    `trained(kind, task, limit)` is a model of a configuration on a task; `trained(head)` is that of a head.
    """

    @cache
    def train(kind: str, task_name: str = "reviews", limit: int = 240) -> Trained:
        if kind in HEADS:
            return train(*HEADS[kind])
        task, loaded = _task_and_data(task_name, limit)
        folder = root / f"{kind}-{task_name}-{limit}"
        with FileLock(folder.with_suffix(".lock")):
            if not folder.is_dir():
                _fit(task, loaded, kind, folder)
        examples = Examples(task, loaded.labels, loaded.splits["train"])
        return Trained(folder, examples, loaded.splits[task.eval[0]])

    root.mkdir(exist_ok=True)
    return train


def _task_and_data(name: str, limit: int) -> tuple[TaskSpec, TaskData]:
    from harness import data
    from harness.core.registry import load_registry

    if name == "reviews":
        return reviews_task(), reviews_data()
    task = load_registry().task(name)
    return task, data.load(task, "synthetic", limit)


def _fit(task: TaskSpec, data: TaskData, kind: str, folder: Path) -> None:
    from harness.training.learners.base import FitRequest
    from harness.training.learners.transformer import LEARNER

    chosen = recipe(kind) if kind.endswith("bert") else recipe(kind, epochs=1)
    with TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch) / "model"
        made.mkdir()
        LEARNER.fit(FitRequest(task, data.labels, data.splits["train"], chosen, 0, made, Path(scratch)))
        made.rename(folder)


RANDOM: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "bert": (
        "AutoModelForSequenceClassification",
        "wordpiece",
        "sequence-classification",
        {"max_position_embeddings": 64},
    ),
    "gpt2": ("AutoModelForCausalLM", "bytebpe", "causal-lm", {"n_positions": 64}),
    "t5": ("AutoModelForSeq2SeqLM", "unigram", "seq2seq-lm", {}),
}


def save(folder: Path, model_type: str, **settings: Any) -> Path:
    """A small model with random weights, saved as anybody would."""
    auto_class, kind, head, sizes = RANDOM[model_type]
    given.model(auto_class, model_type, kind, **(sizes | settings)).save_pretrained(folder)
    given.tokenizer(kind).save_pretrained(folder)
    (folder / "harness.json").write_text(json.dumps({"head": head, "max_length": 64, "fitted": {}}))
    return folder
