"""The loss over a vocabulary in parts against all logits at once: time and the most memory of a training step."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.benchmarks.turns import Comparison, take_turns
from tests.conftest import ROOT

SMALL = {"d_model": 256, "d_kv": 64, "d_ff": 1024, "num_layers": 2, "num_heads": 4, "vocab_size": 32128}
ROWS, SOURCE, TARGET = 16, 64, 128


def a_step(parts: bool) -> Any:
    """A forward and backward pass of a T5, as a function."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, T5Config

    from harness.modeling.heads import vocabulary_loss

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = AutoModelForSeq2SeqLM.from_config(T5Config(**SMALL, decoder_start_token_id=0, pad_token_id=0))
    ids = torch.randint(2, SMALL["vocab_size"], (ROWS, SOURCE))
    labels = torch.randint(2, SMALL["vocab_size"], (ROWS, TARGET))
    inputs = {"input_ids": ids, "decoder_input_ids": model.prepare_decoder_input_ids_from_labels(labels=labels)}

    def step() -> float:
        model.zero_grad()
        if parts:
            loss = vocabulary_loss.summed_loss(model, dict(inputs), labels, shifted=False)
        else:
            loss = vocabulary_loss.summed(model, dict(inputs), labels, shifted=False).loss
        loss.backward()
        return float(loss.detach())

    return step


PEAK = """
import json, sys
from pathlib import Path
from tests.benchmarks.test_vocabulary_loss import a_step

def at(name):
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name)) / 1024

step = a_step(sys.argv[1] == "parts")
before = at("VmRSS:")
Path("/proc/self/clear_refs").write_text("5")
loss = step()
print(json.dumps({"mib": at("VmHWM:") - before, "loss": loss}))
"""


def peak(kind: str) -> dict[str, float]:
    """MiB that the first step of a fresh process takes beyond its model, and the loss."""
    done = subprocess.run([sys.executable, "-c", PEAK, kind], cwd=ROOT, capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


@pytest.mark.slow
@pytest.mark.nightly
def test_loss_in_parts_against_all_logits_at_once(benchmark: Any) -> None:
    """Asserts the memory, which is no matter of load; the ratio of times is reported."""
    parts, whole = peak("parts"), peak("whole")
    assert parts["loss"] == pytest.approx(whole["loss"], rel=1e-5)
    logits = ROWS * TARGET * SMALL["vocab_size"] * 4 / 2**20
    assert parts["mib"] < whole["mib"] - logits
    comparison = Comparison(
        area="Fine-tuning",
        subject="a training step of a T5 (2 + 2 layers of 256, vocabulary 32,128; 16 × 128 labels), loss in parts",
        peer="all logits at once",
        note=f"most memory of a step beside the weights: {parts['mib']:.0f} and {whole['mib']:.0f} MiB",
        facts={"mib": round(parts["mib"]), "peer_mib": round(whole["mib"])},
    )
    ours, theirs = a_step(True), a_step(False)
    ours(), theirs()
    benchmark.pedantic(lambda: take_turns(comparison, ours, theirs), rounds=1, iterations=1)
    comparison.record(benchmark)
