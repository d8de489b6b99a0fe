"""The index of a store's records: faster, and otherwise as if it were not there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from harness.core import record_index
from harness.core.errors import DamagedFileError
from harness.core.facts import CellRecord
from harness.core.record_index import DROPPED, INDEX, RecordIndex
from harness.core.store import Store
from harness.report.text.page import write_page
from harness.report.text.runs import leaderboard_text
from tests.benchmarks.record_store import make_store, write_record

ALL = 63


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return make_store(tmp_path_factory.mktemp("made"), 33)


@pytest.fixture
def store(made: Store, tmp_path: Path) -> Store:
    """A store of 33 scores and the 30 trainings behind them, with its index."""
    shutil.copytree(made.root, tmp_path / "results")
    return indexed(Store(tmp_path / "results"))


def indexed(store: Store) -> Store:
    """With its index, although the records were written just now."""
    record_index.SETTLED, before = 0, record_index.SETTLED
    try:
        read(store)
    finally:
        record_index.SETTLED = before
    return store


def path_of(store: Store, key: str) -> Path:
    return store.folder(key) / "record.json"


def read(store: Store, *, told: list[str] | None = None, keys: list[str] | None = None) -> list[dict]:
    heard = [] if told is None else told
    return RecordIndex(store).read(keys or store.keys(), lambda error: heard.append(str(error)))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of the records that are opened."""
    keys: list[str] = []
    whole = Store.read

    def counting(self: Store, key: str, *kind: type) -> CellRecord:
        keys.append(key)
        return whole(self, key, *kind)

    monkeypatch.setattr(Store, "read", counting)
    return keys


def test_records_are_those_of_the_files_without_the_parts_no_table_needs(store, opened):
    found = read(store)
    assert not opened, "all of it came from the index"
    for key, record in zip(store.keys(), found, strict=True):
        whole = store.read(key).as_json()
        whole["files"] = {name: {"bytes": facts["bytes"]} for name, facts in whole["files"].items()}
        assert record.as_json() == {name: value for name, value in whole.items() if name not in DROPPED}


def test_a_page_opens_the_scores_its_examples_are_of_and_no_training(store, opened, tmp_path):
    write_page(store, [], tmp_path / "page.html")
    assert opened
    assert all((store.folder(key) / "predictions.parquet").exists() for key in opened)


def test_only_records_that_changed_are_opened_again(store, opened):
    changed = store.keys()[3]
    record = json.loads(path_of(store, changed).read_text())
    record["seed"] = 77
    del record["checksum"]
    write_record(store, record)
    assert read(store)[3].seed == 77
    assert opened == [changed]


def test_a_change_that_keeps_size_and_time_is_seen(store):
    path = path_of(store, store.keys()[0])
    stat = path.stat()
    text = path.read_text()
    path.write_text(text.replace('"value": 0.', '"value": 1.', 1))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert path.stat().st_size == stat.st_size
    told: list[str] = []
    assert len(read(store, told=told)) == ALL - 1
    assert "does not fit its checksum" in told[0]


def test_a_record_that_is_gone_leaves_the_table_and_the_index(store):
    key, other = store.keys()[:2]
    shutil.rmtree(store.folder(key))
    assert len(read(store, keys=[key, other])) == 1
    assert len(read(store, keys=[key, other])) == 1
    assert key not in pq.read_table(store.root / INDEX).column("cell").to_pylist()
    assert pq.read_table(store.root / INDEX).num_rows == ALL - 1, "records nobody asked for stay"


def test_predictions_that_are_gone_or_cut_are_named_although_the_record_is_indexed(store):
    first, second = [file.parent.name for file in sorted(store.root.glob("cells/*/*/predictions.parquet"))][:2]
    (store.folder(first) / "predictions.parquet").unlink()
    (store.folder(second) / "predictions.parquet").write_bytes(b"")
    told: list[str] = []
    assert len(read(store, told=told)) == ALL - 2
    assert "is missing" in told[0]
    assert "is damaged: 0 bytes" in told[1]


def test_a_damaged_record_is_named_every_time(store):
    path_of(store, store.keys()[0]).write_text("{")
    for _ in range(2):
        told: list[str] = []
        assert len(read(store, told=told)) == ALL - 1
        assert "not a whole JSON record" in told[0]


@pytest.mark.slow
def test_a_damaged_index_changes_no_table_and_is_made_anew(store):
    expected = leaderboard_text(store, [], "json")
    path = store.root / INDEX
    sound = path.read_bytes()
    for place in range(4, len(sound), len(sound) // 150):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 0xFF]) + sound[place + 1 :])
        assert leaderboard_text(store, [], "json") == expected
    for cut in (0, 3, len(sound) // 2, len(sound) - 1):
        path.write_bytes(sound[:cut])
        assert leaderboard_text(store, [], "json") == expected


def test_an_index_that_says_something_else_with_sound_pages_is_not_believed(store):
    path = store.root / INDEX
    expected = leaderboard_text(store, [], "json")
    table = pq.read_table(path)
    rest = [text.replace('"value":0.', '"value":0.9') for text in table.column("rest").to_pylist()]
    forged = table.set_column(table.column_names.index("rest"), "rest", [rest])
    pq.write_table(forged, path)
    assert leaderboard_text(store, [], "json") == expected


def test_an_index_of_another_version_is_made_anew(store, opened, monkeypatch):
    monkeypatch.setattr(record_index, "VERSION", "0.0")
    assert len(read(store)) == ALL
    assert len(opened) == ALL


def test_tables_are_made_where_the_index_cannot_be_written(made, tmp_path):
    shutil.copytree(made.root, tmp_path / "results")
    (tmp_path / "results" / INDEX).unlink(missing_ok=True)
    (tmp_path / "results" / INDEX).mkdir()
    store = indexed(Store(tmp_path / "results"))
    assert len(read(store)) == ALL
    assert not list(store.root.glob(f".{INDEX}*"))


def test_a_record_written_a_moment_ago_is_not_indexed_yet(tmp_path, opened):
    store = make_store(tmp_path, 33)
    read(store)
    read(store)
    assert len(opened) == 2 * ALL


def test_a_record_that_is_not_there_is_left_out(store):
    assert read(store, keys=["ab" * 32]) == []
    with pytest.raises(DamagedFileError):
        store.read("ab" * 32)


@pytest.mark.process
def test_a_table_needs_no_heavier_library_than_pyarrow(store):
    code = (
        "import sys; sys.argv = ['harness', 'leaderboard', '--out', sys.argv[1]]\nfrom harness.cli.app import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print({'torch', 'transformers', 'pandas', 'sklearn', 'scipy', 'datasets'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(store.root)], capture_output=True, text=True)
    assert done.stderr.strip().splitlines()[-1] == "set()", done.stderr
    assert "model-0" in done.stdout
