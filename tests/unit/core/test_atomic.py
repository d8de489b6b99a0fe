"""Scratch folders of killed processes go; those of living ones stay."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import pytest

from harness.core.atomic import ABANDONED, scratch_folder, sweep_scratch


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def _work(place: str, ready) -> None:
    tempfile.tempdir = place
    with scratch_folder() as folder:
        (folder / "big").write_text("big")
        ready.set()
        time.sleep(60)


def test_a_scratch_folder_goes_with_its_process_however_that_ends(temporary):
    with scratch_folder() as folder:
        assert folder.parent == temporary
    assert list(temporary.iterdir()) == []
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    worker = context.Process(target=_work, args=(str(temporary), ready))
    worker.start()
    try:
        assert ready.wait(30)
        sweep_scratch()
        assert len(list(temporary.iterdir())) == 1, "its owner lives"
    finally:
        worker.kill()
        worker.join()
    sweep_scratch()
    assert list(temporary.iterdir()) == []


def test_folders_of_others_stay(temporary):
    names = ("harness-mine", "harness-scratch-mine", "tmpabcd")
    for name in names:
        (temporary / name).mkdir()
        (temporary / name / "thesis.txt").write_text("")
    new = temporary / "harness-scratch-new"
    old = temporary / "harness-scratch-old"
    for folder in (new, old):
        folder.mkdir()
    before = time.time() - 2 * ABANDONED
    for name in ("harness-scratch-old", *names):
        os.utime(temporary / name, (before, before))
    sweep_scratch()
    assert sorted(path.name for path in temporary.iterdir()) == sorted([*names, new.name])
    assert Path(temporary / "harness-scratch-mine" / "thesis.txt").exists()
