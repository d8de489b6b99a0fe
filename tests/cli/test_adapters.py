"""`--peft`: adapters in runs, and what cannot have one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.command_line import Harness

pytest.importorskip("peft")


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ("tfidf", ["--peft", "lora"], "tfidf on sst2: peft: tfidf has none; leave it out"),
        ("bert-tiny", ["--peft", "lora"], "an adapter takes pretrained weights to start from, and these are random"),
        ("BASE", ["--peft", "lorra"], "unknown method 'lorra'. Did you mean 'lora'?"),
        ("BASE", ["--peft", "lora", "--optimizer", "adafactor"], "an adapter's begin at zero; use adamw"),
    ],
)
def test_what_gets_no_adapter_is_said_in_a_line(
    harness: Harness, saved, model: str, options: list[str], message: str
) -> None:
    model = str(saved("bert")) if model == "BASE" else model
    done = harness("run", "--task", "sst2", "--model", model, "--limit", "20", *options, code=2)
    assert message in done.stderr and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_an_adapter_is_trained_scored_compressed_merged_and_scored_again(
    harness: Harness, saved, tmp_path: Path
) -> None:
    run = ["run", "--task", "sst2", "--model", f"m={saved('bert')}", "--peft", "lora:r=4", "--limit", "40"]
    harness(*run, "--epochs", "1", "--compress", "merge", "--compress", "int8-weight", "--json")
    records = [json.loads(path.read_text()) for path in (tmp_path / "results" / "cells").glob("*/*/record.json")]
    fits = [record for record in records if record["kind"] == "finetune"]
    (fit,) = fits
    assert fit["fit"]["peft"] == "lora:r=4"
    folder = tmp_path / "results" / "cells" / fit["cell"][:2] / fit["cell"] / "model"
    assert {path.name for path in folder.glob("*.safetensors")} == {"adapter_model.safetensors"}
    methods = {record["cell"]: record["compression"]["method"] for record in records if record["kind"] == "compress"}
    scores = [record for record in records if record["kind"] == "score"]
    predictions = {methods.get(score["lineage"].get("compress")): score["predictions"]["sha256"] for score in scores}
    assert predictions.keys() == {None, "merge", "int8-weight"}
    assert predictions[None] == predictions["merge"]
    harness("compress", str(folder), "--method", "merge", "-o", "merged")
    assert not (tmp_path / "merged" / "adapter_config.json").exists()
    asked = json.loads(harness("predict", str(folder), "--text", "a fine film", "--json").stdout)
    merged = json.loads(harness("predict", "merged", "--text", "a fine film", "--json").stdout)
    assert asked[0]["top"][0]["label"] == merged[0]["top"][0]["label"]
    again = harness(*run, "--epochs", "1")
    assert "2 cells: 2 cached" in again.stderr
