"""`harness run --corpus A --corpus B`: one model pretrained on each, and the difference on the tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.data import synthetic
from tests.cli.test_contamination import RECIPE
from tests.command_line import Harness
from tests.conftest import read_json


def write(folder: Path) -> tuple[Path, Path, Path]:
    texts = list(synthetic.corpus(400))
    raw, kept = folder / "raw.jsonl", folder / "kept.jsonl"
    raw.write_text(
        "".join(json.dumps({"text": text}) + "\n" for text in [*texts, *["click here " * 9] * 200]), encoding="utf-8"
    )
    kept.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    recipe = folder / "tiny.yaml"
    recipe.write_text(RECIPE.replace("CORPUS", "synthetic"), encoding="utf-8")
    return raw, kept, recipe


@pytest.mark.slow
def test_each_corpus_is_pretrained_on_with_equal_tokens_and_the_difference_is_shown(
    harness: Harness, tmp_path: Path
) -> None:
    raw, kept, recipe = write(tmp_path)
    asked = ("run", "--task", "sst2", "--model", "tiny", "--include", str(recipe), "--limit", "120", "--seeds", "2")
    done = harness(*asked, "--corpus", str(raw), "--corpus", f"clean={kept}")
    assert "tiny-on-raw" in done.stdout and "tiny-on-clean" in done.stdout
    assert "tiny: clean against raw, equal tokens" in done.stdout
    [row] = [line for line in done.stdout.splitlines() if line.startswith("| sst2") and "[" in line]
    assert row.count("|") == 8
    records = [read_json(path.read_text()) for path in tmp_path.glob("results/cells/*/*/record.json")]
    pretrained = [record for record in records if record["kind"] == "pretrain"]
    assert len(pretrained) == 2 and len({record["data"]["fingerprint"] for record in pretrained}) == 2
    assert len({record["fit"]["tokens"] for record in pretrained}) == 1
    one = harness(*asked, "--corpus", str(kept))
    assert "against" not in one.stdout and "| tiny " in one.stdout


def test_what_cannot_be_compared_is_one_line(harness: Harness, tmp_path: Path) -> None:
    raw, kept, recipe = write(tmp_path)
    timed = tmp_path / "timed.yaml"
    timed.write_text(
        recipe.read_text().replace("name: tiny", "name: timed").replace("steps: 4", "budget: 1m"), encoding="utf-8"
    )
    for model, corpora, message in (
        ("tiny", (str(raw), f"x/{raw.name}"), "two corpora are called 'raw'"),
        ("timed", (str(raw), str(kept)), "give its model spec steps or tokens"),
        ("tfidf", (str(raw),), "none of tfidf has a pretraining section"),
        ("tiny", ("nothing-here",), "no such file or folder"),
    ):
        asked = [part for corpus in corpora for part in ("--corpus", corpus)]
        done = harness(
            "run", "--task", "sst2", "--model", model, "--include", str(recipe), "--include", str(timed), *asked, code=2
        )
        assert message in done.stderr and done.stderr.count("\n") == 1, done.stderr
