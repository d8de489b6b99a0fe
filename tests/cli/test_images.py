"""Images and sounds of one's own from the command line: what is wrong is one line, before anything is trained."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.core import packages
from tests.unit.data.item_files import png, put

TASK = ("--task", "image-classification", "--data", "pets", "--model", "majority")


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    for split, count in (("train", 6), ("val", 4)):
        for number in range(count):
            put(tmp_path, f"pets/{split}/{'cat' if number % 2 else 'dog'}/{number}.png", png(10 * number))
    return tmp_path / "pets"


def test_a_folder_a_class_is_a_task_without_a_file(harness, pets: Path):
    done = harness("run", *TASK)
    assert "| *examples* |                    4 |" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (
            (*TASK, "--noise", "typos"),
            "--noise typos: no task of the run has texts and answers with a class or a number",
        ),
        ((*TASK[:-1], "tfidf"), "tfidf reads text, and image-classification has image"),
        (
            (*TASK, "--attack", "textfooler"),
            "--attack textfooler: no task of the run has texts and answers with a class of its own",
        ),
    ],
)
def test_what_is_for_texts_is_refused(harness, pets: Path, arguments: tuple[str, ...], reason: str):
    assert reason in harness("run", *arguments, code=2).stderr


def test_a_missing_package_is_told_by_the_plan(harness, pets: Path, monkeypatch: pytest.MonkeyPatch):
    nothing = SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: None))
    monkeypatch.setattr(packages, "importlib", nothing)
    for arguments in (("run", *TASK), ("pretrain", "clip-tiny", "--corpus", "pets")):
        assert "PIL is not installed; pip install 'nlp-harness[image]'" in harness(*arguments, code=2).stderr


def test_images_that_cannot_be_read_are_told_together_and_nothing_is_trained(harness, pets: Path):
    pytest.importorskip("PIL", reason="images need Pillow")
    put(pets, "train/cat/1.png", b"a text")
    put(pets, "train/dog/4.png", png(40)[:-30])
    done = harness("run", *TASK[:-1], "vit-tiny", code=2)
    [error] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "train/cat/1.png: no image, but text; 1 more of 6 cannot be read either: " in error
    assert not list(pets.parent.rglob("*.safetensors"))
