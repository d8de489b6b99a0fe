from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from harness.core.errors import DamagedFileError, HarnessError
from harness.core.store import Store, write_atomically

KEY = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "results")


def commit(store: Store, key: str = KEY, text: str = "content") -> dict:
    with store.building(key) as folder:
        (folder / "model").mkdir()
        (folder / "model" / "weights.txt").write_text(text)
        return store.commit(key, folder, {"kind": "finetune", "value": 1.5})


def test_a_committed_cell_reads_back_with_its_files(store):
    assert not store.has(KEY)
    commit(store)
    assert store.has(KEY)
    assert store.read(KEY)["value"] == 1.5
    assert store.file(KEY, "model/weights.txt").read_text() == "content"
    assert store.model(KEY) == store.folder(KEY) / "model"
    assert list((store.root / "building").iterdir()) == []


def test_an_unfinished_cell_is_never_believed(store):
    with pytest.raises(RuntimeError), store.building(KEY) as folder:
        (folder / "half").write_text("half")
        raise RuntimeError
    assert not store.has(KEY)
    store.folder(KEY).mkdir(parents=True)
    (store.folder(KEY) / "model").mkdir()
    assert not store.has(KEY)


def test_a_record_whose_bytes_changed_is_named(store):
    commit(store)
    record = store.folder(KEY) / "record.json"
    record.write_text(record.read_text().replace("1.5", "2.5"))
    with pytest.raises(DamagedFileError, match=r"record\.json is damaged: .*checksum"):
        store.has(KEY)


def test_a_truncated_record_is_named(store):
    commit(store)
    record = store.folder(KEY) / "record.json"
    record.write_bytes(record.read_bytes()[:40])
    with pytest.raises(DamagedFileError, match=r"record\.json is damaged: not a whole JSON record"):
        store.has(KEY)


def test_a_file_of_another_size_is_found_by_looking_and_one_flipped_byte_by_reading(store):
    commit(store)
    weights = store.folder(KEY) / "model" / "weights.txt"
    weights.write_text("kontent")
    assert store.has(KEY)
    with pytest.raises(DamagedFileError, match=r"weights\.txt is damaged"):
        store.model(KEY)
    weights.write_text("contents")
    with pytest.raises(DamagedFileError, match=r"8 bytes, written were 7"):
        store.has(KEY)
    weights.unlink()
    with pytest.raises(DamagedFileError, match=r"weights\.txt is missing"):
        store.has(KEY)


def test_a_damaged_cell_set_aside_is_kept_for_inspection_and_can_be_committed_again(store):
    commit(store)
    (store.folder(KEY) / "record.json").write_text("{")
    store.quarantine(KEY)
    assert not store.has(KEY)
    assert len(list((store.root / "damaged").iterdir())) == 1
    commit(store)
    assert store.has(KEY)


def test_the_first_of_two_commits_of_one_cell_stays(store):
    commit(store, text="first")
    commit(store, text="second")
    assert store.file(KEY, "model/weights.txt").read_text() == "first"


def test_a_commit_removes_the_failure_before_it(store):
    store.fail(KEY, {"kind": "finetune", "cause": "no memory"})
    assert store.failure(KEY)["cause"] == "no memory"
    commit(store)
    assert store.failure(KEY) is None


def test_a_record_of_a_newer_schema_is_refused_with_advice(store):
    commit(store)
    from harness.core.store import _write_checked

    _write_checked(store.folder(KEY) / "record.json", {**store.read(KEY), "schema_version": 99})
    with pytest.raises(HarnessError, match="newer harness"):
        store.read(KEY)


def _hold(root: Path, ready) -> None:
    with Store(root).try_lock(KEY) as mine:
        assert mine
        ready.set()
        time.sleep(60)


def test_a_lock_excludes_others_and_is_free_when_its_holder_is_killed(store):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold, args=(store.root, ready))
    holder.start()
    assert ready.wait(30)
    with store.try_lock(KEY) as mine:
        assert not mine
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    with store.try_lock(KEY) as mine:
        assert mine


def test_runs_are_found_by_name_part_of_it_and_latest(store):
    for name in ("20260101-100000-glue-aaaa", "20260102-100000-glue-bbbb"):
        store.write_run(name, {"status": "done"})
    assert store.run("latest")["run"].endswith("bbbb")
    assert store.run("aaaa")["run"].endswith("aaaa")
    with pytest.raises(HarnessError, match="fits 2 runs"):
        store.run("glue")
    with pytest.raises(HarnessError, match=r"no run 'cccc'"):
        store.run("cccc")


def test_a_cached_fact_that_is_damaged_is_forgotten_not_believed(store):
    store.cache(KEY, {"n": 3})
    assert store.cached(KEY) == {"n": 3}
    path = store.root / "cache" / f"{KEY}.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"value": {"n": 4}}))
    assert store.cached(KEY) is None


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="choose another with --out"):
        Store.open(tmp_path / "file" / "results")


def test_an_atomic_write_that_fails_leaves_the_old_file_and_no_leavings(tmp_path):
    path = tmp_path / "table.md"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
