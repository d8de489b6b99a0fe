"""Scratch folders of killed processes go; those of living ones stay."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
import time
from pathlib import Path

import pytest

from harness.core.atomic import ABANDONED, new_folder, prune_scratch, scratch_folder


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
        prune_scratch()
        assert len(list(temporary.iterdir())) == 1, "its owner lives"
    finally:
        worker.kill()
        worker.join()
    prune_scratch()
    assert list(temporary.iterdir()) == []


def _write(target: str, ready) -> None:
    with new_folder(Path(target)) as folder:
        (folder / "half").write_text("half")
        ready.set()
        time.sleep(60)


def test_what_a_killed_process_left_beside_its_output_goes_with_the_next(temporary):
    target = temporary / "small"
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    worker = context.Process(target=_write, args=(str(target), ready))
    worker.start()
    try:
        assert ready.wait(30)
        with new_folder(temporary / "other"):
            assert len(list(temporary.iterdir())) == 2, "it is of another output"
        with new_folder(target) as folder:
            assert len(list(temporary.glob(".small.*"))) == 2, "its maker lives"
            (folder / "whole").write_text("whole")
    finally:
        worker.kill()
        worker.join()
    (target / "whole").unlink()
    target.rmdir()
    with new_folder(target):
        pass
    assert sorted(path.name for path in temporary.iterdir()) == ["other", "small"]
    assert list(target.iterdir()) == []


def test_folders_of_others_stay(temporary):
    names = ("harness-mine", "harness-scratch-mine", "tmpabcd")
    for name in names:
        (temporary / name).mkdir()
        (temporary / name / "thesis.txt").write_text("")
    new = temporary / "harness-scratch-abcdefgh"
    old = temporary / "harness-scratch-12345678"
    for folder in (new, old):
        folder.mkdir()
    before = time.time() - 2 * ABANDONED
    for name in (old.name, *names):
        os.utime(temporary / name, (before, before))
    prune_scratch()
    assert sorted(path.name for path in temporary.iterdir()) == sorted([*names, new.name])
    assert Path(temporary / "harness-scratch-mine" / "thesis.txt").exists()
