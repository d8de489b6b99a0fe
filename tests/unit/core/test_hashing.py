from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from harness.core.hashing import states_of


def in_place(path: Path) -> None:
    path.write_text("other.")


def renamed_over(path: Path) -> None:
    beside = path.with_name("beside")
    beside.write_text("other.")
    beside.replace(path)


def unpacked(path: Path) -> None:
    beside = path.with_name("beside")
    beside.write_text("other.")
    os.utime(beside, ns=(1, path.stat().st_mtime_ns))
    path.unlink()
    shutil.move(beside, path)


@pytest.mark.parametrize("replace", [in_place, renamed_over, unpacked])
def test_a_file_replaced_with_equal_size_and_time_has_another_state(tmp_path, replace):
    path = tmp_path / "data.csv"
    path.write_text("first.")
    times = path.stat()
    before = states_of([path])
    assert states_of([path]) == before
    replace(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert path.stat().st_size == times.st_size and path.stat().st_mtime_ns == times.st_mtime_ns
    assert states_of([path]) != before


def test_changes_at_once_after_a_look_are_seen(tmp_path):
    path = tmp_path / "data.csv"
    seen = set()
    for number in range(20):
        path.write_text(f"{number:02}")
        os.utime(path, ns=(1, 1))
        seen.add(str(states_of([path])))
    assert len(seen) == 20
