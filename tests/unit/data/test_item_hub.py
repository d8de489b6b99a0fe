"""Datasets of the hub and of `save_to_disk` with images and sounds, read without decoding by `datasets`."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.core.specs import TaskSpec
from harness.data import load
from tests.conftest import python_with_hub

from .item_files import png, wav

COMMIT = "0123456789abcdef0123456789abcdef01234567"

LOAD = """
import json, sys
from harness.core.specs import TaskSpec
from harness.data import load
from harness.data.pairs import facts, open_pairs
task = TaskSpec.model_validate(json.loads(sys.argv[1]))
split = load(task, "hub", splits=["dev"]).splits["dev"]
corpora = [open_pairs(f"hub:them/pets@{sys.argv[2]}", modality, 0) for modality in ("image", "audio")]
print(json.dumps({
    "texts": list(split.fields["text"]),
    "items": [[item, item.label, len(item.content())] for item in split.fields["image"]],
    "pairs": [[[pair.item.label, pair.caption] for pair in corpus.read()] for corpus in corpora],
    "pinned": [corpus.pin is not None for corpus in corpora],
    "documents": facts(corpora[0])["documents"],
    "torchcodec": "torchcodec" in sys.modules,
}))
"""


def dataset() -> Any:
    """Two rows with the features of images, sounds, classes and several captions; no torchcodec encodes them."""
    import datasets
    import pyarrow as pa

    features = datasets.Features(
        {
            "image": datasets.Image(),
            "audio": datasets.Audio(),
            "caption": datasets.Sequence(datasets.Value("string")),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
        }
    )
    rows = {
        "image": [{"bytes": png(1), "path": "a.png"}, {"bytes": png(2), "path": None}],
        "audio": [{"bytes": wav(1), "path": "a.wav"}, {"bytes": wav(2), "path": "b.wav"}],
        "caption": [["one", "two"], ["three"]],
        "label": [1, 0],
    }
    return datasets.Dataset(pa.table(rows, schema=features.arrow_schema))


def test_a_saved_dataset_with_images_is_a_task(tmp_path: Path, task: Callable[..., TaskSpec]):
    dataset().save_to_disk(str(tmp_path / "pets"))
    spec = task(
        name="pets", family="image-classification", fields={"image": "image", "label": "label"}, labels=None, eval=["train"],
    )  # fmt: skip
    train = load(spec, str(tmp_path), splits=["train"])
    assert train.labels == ("cat", "dog") and train.split("train").labels == (1, 0)
    sounds = task(
        name="pets", family="audio-classification", fields={"audio": "audio", "label": "label"}, labels=None, eval=["train"],
    )  # fmt: skip
    items = load(sounds, str(tmp_path), splits=["train"]).split("train").fields["audio"]
    assert [item.content() for item in items] == [wav(1), wav(2)]  # type: ignore[attr-defined]


@pytest.mark.slow
def test_images_and_sounds_of_the_hub_are_items(tmp_path: Path, hub_mirror: Callable[..., Any]):
    buffer = io.BytesIO()
    dataset().to_parquet(buffer)
    files = {f"data/{split}-00000-of-00001.parquet": buffer.getvalue() for split in ("train", "validation")}
    mirror = hub_mirror("them/pets", COMMIT, files)
    task = {
        "name": "pets", "family": "image-text-retrieval", "fields": {"image": "image", "text": "text"},
        "metrics": ["pair_accuracy"], "sources": {"hub": f"them/pets@{COMMIT}"},
    }  # fmt: skip
    read = python_with_hub(LOAD, json.dumps(task), COMMIT, endpoint=mirror.url, folder=tmp_path)
    assert read["texts"] == ["one", "two", "three"]
    assert [item[1:] for item in read["items"]] == [
        ["a.png", len(png(1))],
        ["a.png", len(png(1))],
        ["row 2", len(png(2))],
    ]
    assert read["pairs"] == [
        [["a.png", "one"], ["a.png", "two"], ["row 2", "three"]],
        [["a.wav", "one"], ["a.wav", "two"], ["b.wav", "three"]],
    ]
    assert read["pinned"] == [True, True] and read["documents"] == 3 and not read["torchcodec"]
