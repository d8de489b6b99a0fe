"""Documents to train on get copies, those that are held out do not."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.core.augment_spec import AugmentSpec
from harness.core.errors import HarnessError
from harness.data.augment.documents import DocumentAugmenter
from harness.data.corpus import is_held_out
from tests.command_line import Harness
from tests.conftest import read_json

DOCUMENTS = [f"The small boat number {at} left the old harbour.\n\nIt never came back to us." for at in range(200)]


def augmenter(*operations: Any, seed: int = 0, **settings: Any) -> DocumentAugmenter:
    return DocumentAugmenter(AugmentSpec.model_validate({"operations": list(operations), **settings}), seed, "here")


def test_copies_depend_on_the_number_of_a_document_and_the_seed_alone():
    operations = augmenter("swap", "delete", copies=2)
    made = operations.copies(DOCUMENTS, 0)
    assert made[40:60] == operations.copies(DOCUMENTS[40:60], 40) != operations.copies(DOCUMENTS[40:60], 0)
    assert made != augmenter("swap", "delete", copies=2, seed=1).copies(DOCUMENTS, 0)
    for document, copies in zip(DOCUMENTS, made, strict=True):
        assert document not in copies and len(set(copies)) == len(copies) <= 2
        for copy in copies:
            assert [bool(line) for line in copy.split("\n")] == [True, False, True], "line by line"
            assert "never" in copy and set(copy.replace(".", "").split()) <= set(document.replace(".", "").split())


def test_what_documents_do_not_have_is_refused():
    for operation, reason in (("concatenate", "joins two examples of one class"), ("mixup", "mixes the classes")):
        with pytest.raises(HarnessError, match=f"here: {operation} {reason}.*documents have none"):
            _ = augmenter(operation).operations
    with pytest.raises(HarnessError, match=r"each: epoch is for fine-tuning"):
        _ = augmenter("swap", each="epoch").operations


def spec(folder: Path, name: str, **pretraining: Any) -> Path:
    values = {
        "name": name,
        "learner": "transformer",
        "config": {
            "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 16, "max_position_embeddings": 32,
        },
        "tokenizer": {"kind": "wordpiece", "vocab_size": 150, "corpus": "pretraining"},
        "pretraining": {
            "objective": "mlm", "corpus": str(folder / "corpus.txt.gz"), "steps": 2, "block_size": 16,
            "batch_size": 4, **pretraining,
        },
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    return path


def test_a_pretraining_has_more_tokens_of_the_documents_to_train_on_and_a_key_of_its_own(
    harness: Harness, tmp_path: Path
) -> None:
    with gzip.open(tmp_path / "corpus.txt.gz", "wt") as file:
        file.write("\n\n".join(document.replace("\n\n", " ") for document in DOCUMENTS))
    records = {}
    for name, augment in (
        ("plain", None),
        ("more", {"operations": ["swap"]}),
        ("most", {"operations": ["swap"], "copies": 2}),
    ):
        settings = {} if augment is None else {"augment": augment}
        done = harness("pretrain", name, "--include", spec(tmp_path, name, **settings), "--json")
        records[name] = read_json(done.stdout)
    data = {name: record["data"] for name, record in records.items()}
    trained_on = sum(not is_held_out(document.replace("\n\n", " ")) for document in DOCUMENTS)
    assert data["more"]["augmented_documents"] == trained_on and "augmented_documents" not in data["plain"]
    assert data["more"]["train_tokens"] == pytest.approx(2 * data["plain"]["train_tokens"], rel=0.01)
    assert data["most"]["train_tokens"] > 2.5 * data["plain"]["train_tokens"]
    assert len({content["held_out_tokens"] for content in data.values()}) == 1
    assert len({content["fingerprint"] for content in data.values()}) == 1
    assert len({record["cell"] for record in records.values()}) == 3
    again = read_json(harness("pretrain", "more", "--include", tmp_path / "more.yaml", "--json").stdout)
    assert again["cell"] == records["more"]["cell"] and again["scores"] == records["more"]["scores"]

    wrong = spec(tmp_path, "wrong", augment={"operations": ["concatenate"]})
    said = harness("pretrain", "wrong", "--include", wrong, code=2).stderr
    assert "model wrong: pretraining.augment: concatenate joins two examples of one class" in said
    unknown = spec(tmp_path, "unknown", augment={"operations": ["swop"]})
    assert "Did you mean 'swap'?" in harness("pretrain", "unknown", "--include", unknown, code=2).stderr
