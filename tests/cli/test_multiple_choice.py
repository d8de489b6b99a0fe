"""Multiple choice from the command line: trained, compressed, by likelihood, and who cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import read_json
from tests.zoo import CONFIGS


@pytest.fixture
def copa(tmp_path: Path) -> Path:
    """What is good is right."""
    words = ["bird", "house", "stone", "tree", "river", "lamp", "song", "boat"]
    folder = tmp_path / "COPA"
    folder.mkdir()
    for split, count in (("train", 96), ("val", 24)):
        rows = []
        for number in range(count):
            thing, other = words[number % 8], words[number * 3 % 8]
            label = (number // 2) % 2
            sentences = [f"the {thing} is good", f"the {other} is bad"]
            first, second = sentences if label == 0 else sentences[::-1]
            rows.append(
                {"premise": f"the {thing} was there.", "choice1": first, "choice2": second, "question": "effect",
                 "label": label, "idx": number}
            )  # fmt: skip
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_a_model_is_trained_compressed_and_compared(harness, copa: Path):
    spec = {
        "name": "small", "learner": "transformer", "config": CONFIGS["bert"],
        "tokenizer": {"kind": "wordpiece", "vocab_size": 200},
        "training": {"epochs": 10, "learning_rate": 3e-3, "batch_size": 16, "max_length": 32},
    }  # fmt: skip
    (copa / "small.yaml").write_text(json.dumps(spec))
    done = harness(
        "run", "--task", "copa", "--model", "small", "--model", "tfidf", "--data", ".", "--include", "small.yaml"
    )
    assert "not applicable: tfidf on copa" in done.stderr
    shown = read_json(harness("show", "--json").stdout)
    (score,) = shown["scores"]
    assert score["scores"]["accuracy"]["value"] > 0.9
    cell = next(cell for cell in shown["cells"] if cell["kind"] == "finetune")
    folder = next((copa / "results" / "cells").glob(f"*/{cell['cell']}*/model"))
    harness("compress", str(folder), "--method", "int8-weight", "--output", "less")
    harness("evaluate", str(folder), "less", "--task", "copa", "--data", ".")
    scores = read_json(harness("show", "--json").stdout)["scores"]
    assert [score["scores"]["accuracy"]["value"] > 0.9 for score in scores] == [True, True]
    harness("leaderboard", "--html", "page.html")
    assert "was there" in (copa / "page.html").read_text()


def test_who_cannot_is_told_in_one_line(harness, copa: Path):
    failed = harness("run", "--task", "copa", "--model", "t5-tiny", "--data", ".", code=2)
    assert "an encoder-decoder has no head for multiple-choice" in failed.stderr
    failed = harness("run", "--task", "copa", "--model", "majority", "--noise", "typos", "--data", ".", code=2)
    assert "Traceback" not in failed.stderr
