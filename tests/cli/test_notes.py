"""What a reader must know of the data and the models stands below the table, in `show` and on the page."""

from __future__ import annotations

from pathlib import Path

import pytest

TASK = """\
name: moods
family: classification
fields: {text: text, label: label}
labels: [bad, good]
missing_labels: ["?"]
metrics: [accuracy]
"""
RECIPE = """\
name: short
learner: transformer
config: {model_type: bert, hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 16,
  max_position_embeddings: 32}
tokenizer: {vocab_size: 80}
training: {epochs: 1, max_length: 5, learning_rate: 1.0e-9}
"""


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "moods.yaml").write_text(TASK)
    (tmp_path / "mine" / "short.yaml").write_text(RECIPE)
    (tmp_path / "data").mkdir()
    rows = [f"{'fine' if at % 2 else 'dull'} number {at} of many,{'good' if at % 2 else 'bad'}" for at in range(400)]
    for name, gone in (("train", 3), ("dev", 0)):
        written = ["text,label", *(row.rpartition(",")[0] + ",?" if at < gone else row for at, row in enumerate(rows))]
        (tmp_path / "data" / f"{name}.csv").write_text("\n".join(written) + "\n")
    return tmp_path


RUN = ("run", "--task", "moods", "--include", "mine", "--data", "data")


def test_rows_left_out_are_counted_and_above_one_per_cent_refused(harness, moods):
    said = harness(*RUN, "--model", "majority").stdout
    assert "Data of moods: train: 3 rows without a label dropped." in said
    assert "moods: train: 3 rows without a label dropped" in harness("show").stdout
    harness("leaderboard", "--html", "page.html")
    assert "train: 3 rows without a label dropped" in (moods / "page.html").read_text()
    file = moods / "data" / "train.csv"
    file.write_text(file.read_text().replace(",good", ",?", 5))
    refused = harness(*RUN, "--model", "majority", code=2).stderr
    assert "task moods: 8 of 400 rows of train in data are left out (2.0 %: malformed, or without a label)" in refused
    assert "--allow-dropped" in refused
    assert "8 rows without a label dropped" in harness(*RUN, "--model", "majority", "--allow-dropped").stdout


def test_a_model_that_reads_the_beginnings_alone_and_learns_nothing_says_so(harness, moods):
    said = harness(*RUN, "--model", "short", "--model", "majority").stdout
    assert "Of short: moods: 400 of 400 examples of dev were cut to 5 tokens." in said
    assert "Of short: moods: the training loss has not moved in 13 steps" in said
    assert "Of short: moods: not above chance by accuracy on dev" in said
    assert "Of majority" not in said
    whole = harness(*RUN, "--model", "short", "--max-length", "30").stdout
    assert "were cut" not in whole


@pytest.mark.slow
def test_a_table_and_a_comparison_say_which_model_was_trained_in_bf16(harness, moods, monkeypatch):
    for module in ("harness.training.devices", "harness.core.machine.numerics"):
        monkeypatch.setattr(f"{module}.cpu_bf16_pays", lambda: True)
        monkeypatch.setattr(f"{module}.wide_enough", lambda width: True)
    harness(*RUN, "--model", "short", "--limit", "20", "--precision", "fp32")
    harness("baseline", "accept", "--name", "full")
    said = harness(*RUN, "--model", "short", "--limit", "20").stdout
    assert "Trained in bf16: short." in said
    assert "short: precision fp32 → bf16" in harness("gate", "--baseline", "full", code=None).stdout
    both = harness("leaderboard").stdout
    assert "Trained in bf16: short (bf16); others in fp32." in both
