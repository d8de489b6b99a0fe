"""A lock is one process's at a time, whatever becomes of its file, and leaves no file behind."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

from harness.core.locks import holding, prune_lock
from harness.core.store import Store

KEY = "a" * 64


def test_a_lock_is_had_by_one_at_a_time_and_leaves_no_file(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with holding(path) as first:
        assert first and path.exists()
        with holding(path, wait=False) as second:
            assert not second
        assert path.exists(), "who did not get it removes nothing"
    assert not path.exists()
    with holding(path, wait=False) as again:
        assert again


def test_those_who_wait_have_it_one_after_another_though_its_file_is_removed_each_time(tmp_path: Path) -> None:
    path, counter = tmp_path / "x.lock", tmp_path / "counter"
    counter.write_text("0")

    def count() -> None:
        for _ in range(40):
            with holding(path):
                counter.write_text(str(int(counter.read_text()) + 1))

    def prune() -> None:
        for _ in range(200):
            with suppress(FileNotFoundError):
                prune_lock(path)

    threads = [threading.Thread(target=work) for work in (count, count, count, count, prune, prune)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "160" and not path.exists()


def test_a_store_keeps_no_files_of_locks_that_nobody_holds(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    (tmp_path / "locks" / f"{KEY}.lock").touch()
    (tmp_path / "locks" / "run-killed.lock").touch()
    with store.try_lock("b" * 64) as is_mine, store.running("working"):
        store.prune()
        assert is_mine
        assert sorted(path.name for path in (tmp_path / "locks").iterdir()) == [f"{'b' * 64}.lock", "run-working.lock"]
        with store.try_lock("b" * 64) as again:
            assert not again, "what is held was not removed and made anew"
    assert list((tmp_path / "locks").iterdir()) == []
