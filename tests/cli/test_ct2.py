"""Generative models in CTranslate2 on the command line."""

from __future__ import annotations

import json

import pytest

from tests import zoo

pytest.importorskip("ctranslate2", reason="ctranslate2 is not installed")


@pytest.mark.slow
def test_a_generator_is_compressed_scored_measured_and_asked(harness, tmp_path):
    gpt = zoo.save(tmp_path / "gpt", "gpt2", n_positions=256)
    harness("compress", gpt, "--method", "ct2", "-o", "whole")
    harness("compress", gpt, "--method", "ct2:int8", "-o", "small")
    facts = json.loads((tmp_path / "small" / "compression.json").read_text())
    assert facts["runtime"] == "ctranslate2" and facts["after"]["bytes"] < 0.6 * facts["before"]["bytes"]
    whole = json.loads((tmp_path / "whole" / "compression.json").read_text())
    assert whole["fidelity"]["agreement"] == 1 and whole["fidelity"]["nats_after"] == pytest.approx(
        whole["fidelity"]["nats_before"], abs=1e-5
    )
    done = harness("evaluate", gpt, "whole", "small", "--task", "sst2@0-shot", "--limit", "20", "--json")
    assert done.returncode == 0
    values: dict[str, list] = {}
    for file in (tmp_path / "results").glob("cells/*/*/record.json"):
        record = json.loads(file.read_text())
        values.setdefault(record["runtime"] or "torch", []).append(record["scores"]["accuracy"]["value"])
    assert len(values["ctranslate2"]) == 2 and values["torch"][0] in values["ctranslate2"]
    answers = [
        json.loads(harness("predict", folder, "--text", "the old house", "--max-new-tokens", "5", "--json").stdout)
        for folder in (gpt, "whole")
    ]
    texts = [answer[0] if isinstance(answer, list) else answer for answer in answers]
    assert texts[0]["generated"] == texts[1]["generated"]
    measured = harness(
        "measure",
        gpt,
        "small",
        "--batch",
        "1",
        "--length",
        "16",
        "--no-memory",
        "--budget",
        "20s",
        "--allow-short",
        code=None,
    )
    assert "Traceback" not in measured.stderr and "ctranslate2" in measured.stdout + measured.stderr


@pytest.mark.slow
def test_a_run_compresses_what_it_trained(harness, tmp_path):
    done = harness(
        "run", "--task", "dialogsum", "--model", "t5-tiny", "--limit", "12", "--epochs", "1", "--compress", "ct2:int8"
    )
    assert "t5-tiny+ct2:int8" in done.stdout


def test_encoders_are_left_out_with_the_reason(harness, saved):
    failed = harness("compress", saved("bert"), "--method", "ct2", "-o", "ct2", code=2)
    assert "ct2 serves models that write text" in failed.stderr
