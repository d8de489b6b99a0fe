"""A file that was replaced gives a new score, though size and time are the old ones."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file


def replace(path: Path, content: bytes) -> None:
    """As an archive that keeps times does."""
    before = path.stat()
    assert len(content) == before.st_size
    path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture
def task(reviews, tmp_path):
    (tmp_path / "reviews.yaml").write_text(
        "name: reviews\nfamily: classification\nfields: {text: text, label: label}\nmetrics: [accuracy]\n"
        "labels: [bad, good]\n"
    )
    return ["--task", "reviews", "--data", reviews, "--include", "reviews.yaml", "--json"]


def score(done) -> float:
    (record,) = json.loads(done.stdout)["scores"]
    return record["scores"]["accuracy"]["value"]


def swapped(text: bytes) -> bytes:
    return text.replace(b",good", b",tmp!").replace(b",bad", b",good").replace(b",tmp!", b",bad")


@pytest.mark.parametrize("split", ["dev.csv", "train.csv"])
def test_data(harness, task, reviews, split):
    command = ["run", "--model", "tfidf", *task]
    first = score(harness(*command))
    replace(reviews / split, swapped((reviews / split).read_bytes()))
    assert score(harness(*command)) == pytest.approx(1 - first)


def test_weights(harness, task, trained, tmp_path):
    folder = shutil.copytree(trained("sequence-classification").folder, tmp_path / "mine")
    command = ["evaluate", folder, *task]
    first = score(harness(*command))
    file = folder / "model.safetensors"
    tensors = load_file(file)
    negated = {name: np.negative(one) if name.startswith("classifier") else one for name, one in tensors.items()}
    save_file(negated, tmp_path / "negated", metadata={"format": "pt"})
    replace(file, (tmp_path / "negated").read_bytes())
    assert score(harness(*command)) == pytest.approx(1 - first)


def test_verify_reads_what_is_known_anew(harness, task, tmp_path):
    command = ["run", "--model", "tfidf", *task]
    harness(*command)
    (model,) = (tmp_path / "results" / "cells").glob("*/*/model/model.safetensors")
    content = bytearray(model.read_bytes())
    content[-1] ^= 1
    model.write_bytes(content)
    assert "damaged" not in harness(*command).stderr, "nothing needs the model"
    assert "model.safetensors is damaged" in harness(*command, "--verify").stderr
    assert "damaged" not in harness(*command, "--verify").stderr
