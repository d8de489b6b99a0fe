"""Small random models saved as anybody would."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.heads import given

HEADS = {
    "bert": (
        "AutoModelForSequenceClassification",
        "wordpiece",
        "sequence-classification",
        {"max_position_embeddings": 64},
    ),
    "gpt2": ("AutoModelForCausalLM", "bytebpe", "causal-lm", {"n_positions": 64}),
    "t5": ("AutoModelForSeq2SeqLM", "unigram", "seq2seq-lm", {}),
}


def save(folder: Path, model_type: str, **settings) -> Path:
    auto_class, kind, head, sizes = HEADS[model_type]
    given.model(auto_class, model_type, kind, **(sizes | settings)).save_pretrained(folder)
    given.tokenizer(kind).save_pretrained(folder)
    (folder / "harness.json").write_text(json.dumps({"head": head, "max_length": 64, "fitted": {}}))
    return folder


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """`saved("bert")`: a folder of a small model, with any other settings a folder of its own."""
    known: dict[str, Path] = {}

    def of(model_type: str, **settings) -> Path:
        key = f"{model_type} {settings}"
        if key not in known:
            known[key] = save(tmp_path_factory.mktemp(model_type), model_type, **settings)
        return known[key]

    return of
