"""Pretraining that goes on from a checkpoint, through the command line."""

from __future__ import annotations

import json

import pytest
from safetensors.numpy import load_file

from tests.conftest import read_json
from tests.unit.modeling.heads import given
from tests.zoo import SIZES

FEW = ("--sentences", "300", "--batch-size", "2")


def spec(path, **pretraining):
    """A model spec that trains the checkpoint beside it further."""
    content = {
        "name": "further", "learner": "transformer", "pretrained": str(path.parent / "checkpoint"),
        "pretraining": {"objective": "mlm", "sentences": 300, "steps": 2, "block_size": 32, **pretraining},
    }  # fmt: skip
    path.write_text(json.dumps(content))
    return path


@pytest.fixture
def checkpoint(saved, tmp_path):
    """A folder of an encoder with random weights."""
    folder = tmp_path / "checkpoint"
    folder.symlink_to(saved("bert"))
    return folder


def test_a_folder_is_trained_further_with_its_own_tokenizer(harness, saved, tmp_path):
    start = saved("gpt2")
    made = tmp_path / "made"
    harness("pretrain", start, *FEW, "--steps", "2", "--output", made, "--quiet")
    assert (made / "tokenizer.json").read_bytes() == (start / "tokenizer.json").read_bytes()
    before, after = (load_file(folder / "model.safetensors") for folder in (start, made))
    assert before.keys() == after.keys()
    assert any((before[name] != after[name]).any() for name in before)
    record = read_json(harness("show", "--json").stdout)["cells"][0]
    assert record["kind"] == "pretrain"
    again = harness("pretrain", start, *FEW, "--steps", "2", "--dry-run")
    assert "cached" in again.stdout


def test_a_run_trains_further_then_fine_tunes_and_its_lineage_names_both(harness, checkpoint, tmp_path):
    file = spec(tmp_path / "further.yaml")
    harness(
        "run", "--task", "sst2", "--limit", "16", "--epochs", "1", "--include", file, "--model", "further", "--quiet"
    )
    result = read_json(harness("show", "--json").stdout)
    assert [cell["kind"] for cell in result["cells"]][:2] == ["pretrain", "finetune"]
    lineage = result["scores"][0]["lineage"]
    assert lineage["pretrain"] == result["cells"][0]["cell"]
    assert lineage["weights"]


@pytest.mark.slow
def test_an_adapter_is_kept_and_merged_and_moves_nothing_else(harness, tmp_path):
    checkpoint = tmp_path / "checkpoint"
    given.model("AutoModelForMaskedLM", "bert", "wordpiece", **SIZES).save_pretrained(checkpoint)
    given.tokenizer("wordpiece").save_pretrained(checkpoint)
    file = spec(tmp_path / "further.yaml", peft="lora:r=2,target_modules=query", learning_rate=0.05)
    folder = tmp_path / "made"
    harness("pretrain", "further", "--include", file, "--output", folder, "--quiet")
    before, after = load_file(checkpoint / "model.safetensors"), load_file(folder / "model.safetensors")
    changed = {name for name in before if (before[name] != after[name]).any()}
    assert changed
    assert all("query.weight" in name for name in changed)
    (adapter,) = (tmp_path / "results" / "cells").glob("*/*/adapter")
    kept = load_file(adapter / "adapter_model.safetensors")
    assert all("lora" in name for name in kept)
    name = next(iter(sorted(changed)))
    stem = "base_model.model." + name.removesuffix(".weight")
    product = kept[f"{stem}.lora_B.weight"] @ kept[f"{stem}.lora_A.weight"] * 16 / 2
    assert after[name] == pytest.approx(before[name] + product, abs=1e-5)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"objective": "clm"}, "a bert reads in both directions"),
        (
            {"objective": "rtd"},
            "objective rtd builds a model of its own; a checkpoint is trained further by audio-text or clm or image-text or mlm",
        ),
        ({"objective": "token-order"}, "builds a model of its own"),
        ({"objective": "span-corruption"}, "needs a tokenizer of kind unigram, and the checkpoint's is wordpiece"),
        ({"steps": 0}, "0 steps leave the checkpoint as it is"),
        ({"block_size": 4096}, "the checkpoint reads 64 tokens, not 4096"),
        ({"peft": "lora", "optimizer": "adafactor"}, "use adamw"),
        ({"peft": "lora:quantize_base=nf4"}, "quantize_base is for fine-tuning"),
        ({"peft": "lroa"}, "Did you mean 'lora'"),
    ],
)
def test_what_cannot_go_on_is_said_before_anything_is_computed(harness, checkpoint, tmp_path, change, said):
    file = spec(tmp_path / "further.yaml", **change)
    result = harness("pretrain", "further", "--include", file, code=2)
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert not list((tmp_path / "results" / "cells").glob("*"))


def test_without_a_length_or_a_model_nothing_is_begun(harness, checkpoint):
    assert "give one of steps, tokens and budget" in harness("pretrain", checkpoint, code=2).stderr
    assert "no weights to go on from" in harness("pretrain", "tfidf", "--steps", "5", code=2).stderr
    assert "no such folder" in harness("pretrain", "/nowhere/at/all", "--steps", "5", code=2).stderr


def test_an_adapter_needs_the_weights_of_the_objective(harness, checkpoint, tmp_path):
    file = spec(tmp_path / "further.yaml", peft="lora")
    result = harness("pretrain", "further", "--include", file, code=2)
    assert "it has no weights for cls.predictions" in result.stderr
    assert "leave peft out" in result.stderr
