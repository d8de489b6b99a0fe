"""Every file of a results folder is read once; a damaged one is named by what reads it."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

CORPUS = "\n\n".join(
    f"The {word} cat sat on the mat and the {word} dog ran." for word in ["red", "big", "old", "new", "wet"] * 20
)
MODEL = """
name: tiny
learner: transformer
config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}
tokenizer: {kind: wordpiece, vocab_size: 200, corpus: pretraining}
pretraining: {objective: mlm, corpus: corpus.txt, steps: 4, batch_size: 4, block_size: 16}
training: {epochs: 1, batch_size: 16, max_length: 16}
"""
RUN = ("run", "--task", "cola", "--model", "tiny", "--model", "tfidf", "--limit", "40", "--include", "tiny.yaml")


@pytest.fixture(scope="module")
def made(machine_cache, tmp_path_factory):
    """A folder with the results of a run that pretrained."""
    from tests.command_line import call_harness

    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.yaml").write_text(MODEL)
    (folder / "corpus.txt").write_text(CORPUS)
    call_harness(folder, machine_cache, *RUN)
    time.sleep(2.1)  # records as new as that are not indexed yet
    call_harness(folder, machine_cache, "leaderboard")
    return folder


@pytest.fixture
def results(made, tmp_path):
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "results"


def flipped(path: Path) -> Path:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return path


PATTERNS = (
    "cells/*/*/record.json", "cells/*/*/predictions.parquet", "cells/*/*/model/model.safetensors",
    "cells/*/*/model/config.json", "cells/*/*/losses.parquet", "runs/*.json", "cache/*.json", "cache/tokens-*/train.bin",
    "cache/tokenizer-*/tokenizer.json", "cache/tokens-*/checksums.json",
)  # fmt: skip


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_flipped_bit_is_named_and_repaired(harness, results, pattern):
    path = flipped(min(results.glob(pattern)))
    found = json.loads(harness("verify", "--json", code=1).stdout)
    assert len(found["faults"]) == 1 and not found["sound"]
    assert str(path.relative_to(results.parent)) in found["faults"][0]["reason"] or path.name == "checksums.json"
    assert "damaged: " in harness("verify", "--repair").stdout
    assert harness("verify").stdout.rstrip().endswith("all as it was written")
    harness(*RUN)
    assert harness("verify").stdout.rstrip().endswith("all as it was written")


def test_a_sound_store_is_read_whole(harness, results):
    said = harness("verify").stdout
    assert said.rstrip() == "read 6 cells, 1 runs, 10 cache, 2 cached folders, 1 index: all as it was written".replace(
        "10 cache", f"{len(list(results.glob('cache/*.json')))} cache"
    )


def test_an_index_that_is_not_whole_is_made_again(harness, results):
    index = results / "index.parquet"
    index.write_bytes(index.read_bytes()[:-20])
    assert "index.parquet is damaged" in harness("verify", code=1).stdout
    assert "tfidf" in harness("leaderboard").stdout
    harness("verify", "--repair")
    harness("verify")


TABLES = ["leaderboard"], ["leaderboard", "--format", "json"], ["leaderboard", "--html", "page.html"]


@pytest.mark.parametrize("how", ["flipped", "no manifest", "gone", "not to be read"])
def test_a_damaged_manifest_leaves_out_its_run_alone(harness, results, how):
    (first,) = (results / "runs").glob("*.json")
    expected = harness("leaderboard").stdout
    harness("run", "--task", "sst2", "--model", "majority", "--limit", "40")
    (second,) = set((results / "runs").glob("*.json")) - {first}
    if how == "flipped":
        flipped(second)
    elif how == "no manifest":
        second.write_text("[]")
    elif how == "gone":
        second.write_text("")
    elif os.geteuid() == 0:
        second.unlink()
        second.mkdir()  # root may read all files, but no folder
    else:
        second.chmod(0)
    for arguments in TABLES:
        done = harness(*arguments, code=0)
        assert second.name in done.stderr and "left out" in done.stderr, arguments
        if how != "not to be read":
            assert "harness verify --repair" in done.stderr
    assert harness("leaderboard").stdout == expected
    assert second.name in (results.parent / "page.html").read_text(encoding="utf-8")
    assert second.name in harness("show", code=2).stderr, "the run that is asked for is not another one"
    assert second.name in harness("leaderboard", "latest", code=2).stderr
    if how != "not to be read":
        harness("verify", "--repair")
        assert harness("leaderboard").stderr == ""


def test_a_cell_without_a_record_is_named(harness, results):
    record = min(results.glob("cells/*/*/record.json"))
    record.unlink()
    assert (
        f"{record.parent.relative_to(results.parent)} is damaged: there is no record.json"
        in harness("verify", code=1).stdout
    )
    harness("verify", "--repair")
    harness(*RUN)


def test_a_flipped_bit_of_tokens_is_found_before_another_model_is_trained(harness, results):
    flipped(min(results.glob("cache/tokens-*/train.bin")))
    (results.parent / "tiny.yaml").write_text(MODEL.replace("steps: 4", "steps: 5"))
    done = harness(*RUN)
    assert "train.bin is damaged" in done.stderr and "is made again" in done.stderr


def test_readers_of_a_delivered_model_check_it(harness, results, tmp_path):
    (model,) = (path.parent for path in results.glob("cells/*/*/model/harness.json"))
    harness("compress", model, "--method", "int8-weight", "-o", "small")
    for name in ("compression.json", "config.json", "harness.json"):
        path = tmp_path / "small" / name
        before = path.read_bytes()
        flipped(path)
        for command in (
            ("predict", "small", "--text", "a cat"), ("evaluate", "small", "--task", "cola", "--limit", "20"),
            ("compress", "small", "--method", "int8", "-o", "smaller"), ("measure", "small", model, "--budget", "5s"),
        ):  # fmt: skip
            assert f"{name} is damaged" in harness(*command, code=2).stderr, command
        path.write_bytes(before)
    assert not (tmp_path / "smaller").exists()
    harness("predict", "small", "--text", "a cat")
