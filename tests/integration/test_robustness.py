"""Robustness of finished models from Python and by `harness robustness`."""

from __future__ import annotations

import pandas as pd
import pytest

import harness
from harness.core.errors import HarnessError
from tests.conftest import read_json

GOOD, BAD = ("lovely", "superb", "great"), ("boring", "dreadful", "dull")
ROWS = [f"a {word} film with <b>songs</b>" for word in (*GOOD, *BAD)] * 5
CLASSES = ["good"] * 3 + ["bad"] * 3


@pytest.fixture
def reviews(tmp_path, monkeypatch, machine_cache):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(machine_cache))
    frame = pd.DataFrame({"body": ROWS, "label": CLASSES * 5})
    return harness.Task(
        name="my-reviews",
        family="classification",
        train=frame,
        dev=frame,
        fields={"text": "body"},
        metrics=["accuracy"],
    )


def by_words(texts):
    """Good where a good word stands, or no bad one."""
    return ["good" if any(word in text for word in GOOD) else "bad" for text in texts]


def test_a_function_is_attacked_and_shows_what_fools_it(reviews):
    model = harness.wrap(by_words, name="by-words")
    report = harness.robustness(model, task=reviews, attack="deepwordbug:examples=20", noise="case")
    (row,) = report.attacks
    assert (row.model, row.attack, row.examples, row.before.value) == ("by-words", "deepwordbug", 20, 1.0)
    examples = report.examples("by-words", "deepwordbug")
    fooled = [example for example in examples if example.result == "succeeded"]
    assert len(examples) == 20 and len(fooled) / 20 == pytest.approx(1 - row.after.value)
    assert fooled and all(example.label == 1 and example.after == 0 for example in fooled), "a good word misspelt"
    assert set(report.noise[0].noises) == {"case"}
    assert report.to_json()["attacks"][0]["rows"][0]["success_rate"]["value"] == row.success_rate.value
    assert "### attacks on" in report.to_markdown() and "### robustness on" in report.to_markdown()
    usual = harness.robustness(model, task=reviews, limit=12)
    assert set(usual.noise[0].noises) == {"typos", "case", "punctuation"} and usual.attacks[0].attack == "deepwordbug"
    with pytest.raises(HarnessError, match="unknown attack 'deepwordbig'"):
        harness.robustness(model, task=reviews, attack="deepwordbig")


def test_the_page_shows_attacked_examples_with_what_was_changed(reviews, tmp_path):
    model = harness.wrap(by_words, name="by-words")
    harness.robustness(model, task=reviews, attack="deepwordbug:examples=20", noise="case")
    from harness.core.store import Store
    from harness.report.text.page import write_page

    write_page(Store(tmp_path / "results"), [], tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "by-words on my-reviews+deepwordbug:" in html and "examples fool it" in html
    assert "<b>songs</b>" not in html and "&lt;b&gt;songs&lt;/b&gt;" in html
    assert any(f"<mark>{word}</mark>" in html for word in GOOD)


@pytest.mark.slow
def test_finished_models_are_attacked_by_the_command_line_and_what_is_compressed_of_them_is_paired(harness, tmp_path):
    harness(
        "run",
        "--task",
        "sst2",
        "--limit",
        "60",
        "--model",
        "bert-tiny",
        "--epochs",
        "1",
        "--results",
        "made",
        "--quiet",
    )
    (folder,) = [
        path.parent / "model"
        for path in (tmp_path / "made").glob("cells/*/*/record.json")
        if (path.parent / "model").is_dir()
    ]
    harness("compress", str(folder), "--method", "int8", "-o", "small")
    asked = (
        "robustness",
        f"mine={folder}",
        "small",
        "--task",
        "sst2",
        "--limit",
        "60",
        "--attack",
        "deepwordbug:examples=12,queries=40",
    )
    (table,) = read_json(harness(*asked, "--json").stdout)["attacks"]
    assert {row["model"] for row in table["rows"]} == {"mine", "small"}, "in one table: the same examples and attack"
    assert harness(*asked).stdout.startswith("### attacks on synthetic data")
    assert "4 cells" in harness(*asked, "--dry-run").stdout + harness(*asked, "--dry-run").stderr
