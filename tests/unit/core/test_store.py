from __future__ import annotations

import errno
import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from harness.core.atomic import move_folder, new_folder
from harness.core.cached_facts import KnownProblem, known_on_machine
from harness.core.checked import write_checked
from harness.core.checksums import check_sums, refuse_damaged, write_sums
from harness.core.errors import DamagedFileError, HarnessError, UnreadableFileError
from harness.core.locks import lock_file
from harness.core.store import Store, write_atomically

KEY = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store.open(tmp_path / "results")


def commit(store: Store, key: str = KEY, text: str = "content") -> dict:
    with store.building(key) as folder:
        (folder / "model").mkdir()
        (folder / "model" / "weights.txt").write_text(text)
        return store.commit(key, folder, {"kind": "test", "value": 1.5})


def test_a_committed_cell_reads_back_with_its_files(store):
    assert not store.has(KEY)
    commit(store)
    assert store.has(KEY)
    assert store.read(KEY).as_json()["value"] == 1.5
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
    write_checked(store.folder(KEY) / "record.json", {**store.read(KEY).as_json(), "schema_version": 99})
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
    assert store.run("latest").run.endswith("bbbb")
    assert store.run("aaaa").run.endswith("aaaa")
    with pytest.raises(HarnessError, match="fits 2 runs"):
        store.run("glue")
    with pytest.raises(HarnessError, match=r"no run 'cccc'"):
        store.run("cccc")


def test_a_cached_fact_that_is_damaged_is_forgotten_not_believed(store):
    store.cache(KEY, {"n": 3})
    assert store.cached(KEY, dict[str, int]) == {"n": 3}
    path = store.root / "cache" / f"{KEY}.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"value": {"n": 4}}))
    assert store.cached(KEY, dict[str, int]) is None


@pytest.mark.parametrize(
    "value", [None, 3, "n", [], ["n"], {"n": "3"}, {"n": None}, {"n": {}}, {"n": 3.5}, {"n": True}]
)
def test_a_cached_fact_that_is_not_of_its_kind_is_found_again(store, value):
    store.cache(KEY, value)
    assert store.get_or_compute(KEY, lambda: {"n": 3}, dict[str, int]) == {"n": 3}
    assert store.cached(KEY, dict[str, int]) == {"n": 3}


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(HarnessError, match="choose another with --results"):
        Store.open(tmp_path / "file" / "results")


def test_an_atomic_write_that_fails_leaves_the_old_file_and_no_leavings(tmp_path):
    path = tmp_path / "table.md"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_latest_run_is_the_last_to_begin_whatever_the_clock_said(store):
    for name in ("20260102-100000-glue-aaaa", "20260101-100000-glue-bbbb", "20250101-100000-glue-cccc"):
        store.write_run(name, {"status": "done"})
    store.write_run("20260102-100000-glue-aaaa", {"status": "failed"})
    assert [name[-4:] for name in store.run_names()] == ["aaaa", "bbbb", "cccc"]
    assert store.run("latest").number == 3
    order = store.root / "runs" / "order"
    order.write_bytes(order.read_bytes().replace(b"3 2025", b"0 2025"))
    assert [name[-4:] for name in store.run_names()] == ["aaaa", "bbbb", "cccc"], "a damaged line is not believed"
    order.unlink()
    assert [name[-4:] for name in store.run_names()] == ["aaaa", "bbbb", "cccc"]
    store.write_run("20240101-100000-glue-dddd", {"status": "done"})
    assert store.run("latest").run.endswith("dddd")


def test_a_run_that_works_shows_what_is_there_and_one_that_was_killed_was_interrupted(store):
    name = "20260101-100000-glue-aaaa"
    cells = [{"cell": key, "status": "missing"} for key in (KEY, "cd" * 32, "ef" * 32)]
    commit(store)
    store.fail("cd" * 32, {"kind": "finetune", "cause": "no memory"})
    with lock_file(store.root / "locks" / f"run-{name}.lock"):
        store.write_run(name, {"status": "running", "cells": cells})
        found = store.run("latest")
    assert found.status == "running"
    assert [cell.status for cell in found.cells] == ["done", "failed", "missing"]
    assert found.cells[1].cause == "no memory"
    assert store.run("latest").status == "interrupted", "nobody holds its lock any more"
    store.prune()
    assert list((store.root / "locks").glob("run-*")) == []


def test_a_folder_that_was_never_whole_is_no_obstacle(store):
    store.folder(KEY).mkdir(parents=True)
    (store.folder(KEY) / "model").mkdir()
    commit(store)
    assert store.has(KEY) and len(list((store.root / "damaged").iterdir())) == 1


def test_cells_may_lie_on_another_file_system(store, monkeypatch):
    rename = Path.rename

    def across(path: Path, target: Path) -> Path:
        if "building" in path.parts and "cells" in Path(target).parts:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", across)
    commit(store)
    store.check(KEY)
    assert store.keys() == [KEY] and list(store.folder(KEY).parent.iterdir()) == [store.folder(KEY)]


def _unreadable(monkeypatch, name: str) -> None:
    opened = os.open

    def refuse(path, *rest, **more):
        if str(path).endswith(name):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)


def test_a_record_that_cannot_be_opened_is_not_damaged(store, monkeypatch):
    commit(store)
    _unreadable(monkeypatch, "record.json")
    told = []
    with pytest.raises(
        UnreadableFileError, match=r"record\.json cannot be read: Permission denied; nothing was changed"
    ):
        store.has(KEY)
    assert store.find_all([KEY], told.append) == [] and len(told) == 1
    monkeypatch.undo()
    store.check(KEY)


def test_what_killed_processes_left_is_swept_and_what_others_work_on_is_not(store):
    done, begun, living = "aa" * 32, "bb" * 32, "cc" * 32
    commit(store, done)
    left = [store.root / "building" / f"{begun}-12345678", store.partial(done), store.root / "cache" / ".tokens-1.abcd"]
    kept = [store.root / "building" / f"{living}-12345678", store.partial(begun)]
    for folder in (*left, *kept):
        folder.mkdir(parents=True)
        (folder / "file").write_text("")
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    holder = context.Process(target=_hold_of, args=(store.root, living, ready))
    holder.start()
    try:
        assert ready.wait(30)
        store.prune()
    finally:
        holder.kill()
        holder.join()
    assert [folder.exists() for folder in left] == [False] * 3
    assert [folder.exists() for folder in kept] == [True] * 2
    store.prune()
    assert [folder.exists() for folder in kept] == [False, True]


def _hold_of(root: Path, key: str, ready) -> None:
    with Store(root).try_lock(key) as mine:
        assert mine
        ready.set()
        time.sleep(60)


def test_a_kept_folder_is_made_once_checked_and_made_anew_where_it_is_damaged(store, capsys):
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "tokens.bin").write_bytes(b"abcdef")

    place = store.kept_folder("tokens-1", make)
    assert store.kept_folder("tokens-1", make) == place and len(made) == 1
    for damage in (lambda path: path.write_bytes(b"abcdeg"), lambda path: path.write_bytes(b"abc"), Path.unlink):
        damage(place / "tokens.bin")
        store.kept_folder("tokens-1", make)
        assert (place / "tokens.bin").read_bytes() == b"abcdef"
        assert "tokens.bin is" in capsys.readouterr().err
    assert len(made) == 4
    assert [path.name for path in (store.root / "cache").iterdir()] == ["tokens-1"]


def test_new_folders_have_names_of_their_own_and_leave_those_of_others_alone(tmp_path):
    target, theirs = tmp_path / "o", tmp_path / f".o.{os.getpid()}"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("mine")
    with new_folder(target) as folder:
        (folder / "a").write_text("a")
    with pytest.raises(RuntimeError), new_folder(tmp_path / "p") as folder:
        raise RuntimeError
    with pytest.raises(FileExistsError), new_folder(target):
        pass
    assert sorted(path.name for path in tmp_path.iterdir()) == [theirs.name, "o"]
    assert (theirs / "thesis.txt").read_text() == "mine"
    with pytest.raises(OSError):
        move_folder(theirs, target)
    assert (theirs / "thesis.txt").exists() and (target / "a").exists()


def test_a_delivered_folder_says_what_its_bytes_were(tmp_path):
    (tmp_path / "compression.json").write_text('{"notes": []}')
    refuse_damaged(tmp_path)
    write_sums(tmp_path)
    check_sums(tmp_path)
    (tmp_path / "compression.json").write_text('{"notes": [ ]'[:13] + "}")
    with pytest.raises(DamagedFileError, match=r"compression\.json is damaged.*remove checksums\.json where"):
        refuse_damaged(tmp_path)


def test_a_model_of_a_cell_is_checked_by_its_record(store):
    commit(store)
    refuse_damaged(store.model(KEY))
    (store.folder(KEY) / "model" / "weights.txt").write_text("kontent")
    with pytest.raises(DamagedFileError, match=r"weights\.txt is damaged"):
        refuse_damaged(store.folder(KEY) / "model")


def test_a_fact_of_the_machine_is_found_once_and_again_where_its_file_is_damaged(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    found = iter([{"problem": "one"}, {"problem": "two"}])
    for expected in ("one", "one"):
        assert known_on_machine("key", lambda: next(found), KnownProblem) == {"problem": expected}
    (tmp_path / "facts" / "key.json").write_text("{")
    assert known_on_machine("key", lambda: next(found), KnownProblem) == {"problem": "two"}
